// The two score distributions and a movable threshold.

const GROUPS = [["known", 0, "circle"], ["unknown", 3, "triangle"]]; // name, index into COLORS, mark

class Scores extends Slide {
  constructor(root) {
    super(root, ".scores", ["svg.picture"]);
  }

  get places() {
    return this.data.thresholds.map((t) => t.threshold);
  }

  fill() {
    this.$(".legend").innerHTML = GROUPS.map(
      ([name, c, mark]) => `<li><svg width="1em" height="1em" viewBox="-8 -8 16 16" fill="${this.colors[c]}" aria-hidden="true"><path d="${MARKS[mark]}"/></svg>${name}</li>`
    ).join("");
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
      curves: GROUPS.map(([name, c, mark]) => ({ points: data.x.map((x, i) => [x, data.density[name][i]]), color: this.colors[c], mark, fill: true, dash: name === "unknown" ? `${0.7 * em} ${0.25 * em}` : "" })),
      line: { at: Math.min(Math.max(now.threshold, low), high), text: `accepts ${now.known} % of the known →` },
    });
    svg.classList.toggle("movable", data.movable);
    svg.setAttribute("aria-label", `Distributions of the scores of known and unknown drawings. ${now.words}`);
    const words = document.querySelector('.learn-lead [data-check="threshold"]');
    if (words && words.textContent !== keepTogether(now.words)) words.textContent = keepTogether(now.words);
    this.$("input").value = this.$("output").textContent = this.place;
  }
}

export default mounted(Scores);
