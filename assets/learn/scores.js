// The two score distributions and a movable threshold.

const GROUPS = [["known", 0, "circle"], ["unknown", 3, "triangle"]]; // name, index into COLORS, mark

class Scores extends Slide {
  constructor(root) {
    super(root, ".scores", ["svg.picture"]);
    // A term of the text is pointed at, or a distribution; see keys.js.
    this.onmark = (e) => this.highlight(e.detail);
    document.addEventListener("ueo-learn-mark", this.onmark);
    const svg = this.$("svg.picture");
    svg.onpointerover = (e) => point(e.target.closest?.("[data-mark]")?.dataset.mark || null);
    svg.onpointerleave = () => point(null);
  }

  end() {
    document.removeEventListener("ueo-learn-mark", this.onmark);
    super.end();
  }

  highlight(mark) {
    this.mark = mark;
    if (this.whole.clientWidth) this.draw();
  }

  get places() {
    return this.data.thresholds.map((t) => t.threshold);
  }

  fill() {}

  // Index of the point at which a distribution is highest above the other one: its name stands there.
  apart(name) {
    const own = this.data.density[name];
    const other = this.data.density[name === "known" ? "unknown" : "known"];
    return own.reduce((best, v, i) => (v - other[i] > own[best] - other[best] ? i : best), 0);
  }

  draw() {
    const { data } = this;
    const svg = this.$("svg.picture");
    const width = this.whole.clientWidth;
    const em = emOf();
    const now = data.thresholds[this.place];
    const room = roomFor(svg, this.whole, em);
    const top = Math.max(...GROUPS.flatMap(([name]) => data.density[name]));
    const [low, high] = [data.x[0], data.x.at(-1)];
    svg.of = plot(svg, {
      width,
      height: Math.max(14 * em, Math.min(room, 0.62 * width)),
      em,
      x: { low, high, name: data.name, ticks: ticks(low, high, width / (7 * em)) },
      y: { low: 0, high: top },
      curves: GROUPS.filter(([name]) => data.played || name === "known").map(([name, c, mark]) => ({
        points: data.x.map((x, i) => [x, data.density[name][i]]),
        color: this.colors[c],
        mark,
        name: `${name} drawings`,
        at: this.apart(name),
        key: name,
        faint: ["known", "unknown"].includes(this.mark) && this.mark !== name,
        fill: true,
        dash: name === "unknown" ? `${0.7 * em} ${0.25 * em}` : "",
      })),
      line: data.played && { at: Math.min(Math.max(now.threshold, low), high), text: `accepts ${now.known} % of the known →`, bold: this.mark === "threshold" },
    });
    svg.classList.toggle("movable", data.movable);
    svg.setAttribute("aria-label", data.played ? `Distributions of the scores of known and unknown drawings. ${now.words}` : "Distribution of the scores of known drawings.");
    const words = document.querySelector('.learn-lead [data-check="threshold"]');
    if (words && words.textContent !== keepTogether(now.words)) words.innerHTML = keepTogether(now.html);
    this.$("input").value = this.$("output").textContent = this.place;
  }
}

export default mounted(Scores);
