// One image at a temperature that can be changed.

const DASHES = { "90th percentile": [0.6, 0.35], median: [], "10th percentile": [0.12, 0.3] }; // in em
const GRAY = "#8797A8";

class OneImage extends Slide {
  constructor(root) {
    super(root, ".image", [".weights", ".area"]);
  }

  get places() {
    return this.data.temperatures;
  }

  fill() {
    const { data } = this;
    const last = data.temperatures.at(-1);
    this.$(".slide span").textContent = `Temperature T of the softmax: 1 is scaled (logits × ${Math.round(last)}), ${last.toFixed(1)} is released (unscaled cosines)`;
    this.$(".words").textContent = keepTogether(data.words);
    this.$(".sides").replaceChildren(...data.sides.map((side) => this.side(side)));
  }

  // The box of one model; `draw` fills in what depends on the temperature.
  side({ title, names, cosines }) {
    const box = document.createElement("section");
    const cell = (text, kind = "") => {
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = text;
      return span;
    };
    const track = (color, share) => {
      const span = cell("", "track");
      const fill = cell("", "fill");
      fill.style.background = color;
      if (share !== undefined) fill.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
      span.append(fill);
      return span;
    };
    const head = document.createElement("h4");
    head.append(`${title}: predicts `, Object.assign(document.createElement("i"), { textContent: names[0] }));
    const bars = cell("", "bars");
    bars.append(cell("", "head"), cell("cosine with the sentence", "head pair"), cell("softmax at this T", "head pair"));
    const top = Math.max(0.05, ...cosines);
    names.forEach((name, i) => {
      const first = i ? "" : "first";
      bars.append(cell(name, first), track(GRAY, cosines[i] / top), cell(cosines[i].toFixed(3), first), track(this.colors[0]), cell("", "share " + first));
    });
    const derived = cell("", "bars derived");
    for (const name of ["entropy", "w", "1/w"]) derived.append(cell(name), track(this.colors[1]), cell("", "value"));
    box.append(head, bars, derived);
    return box;
  }

  draw() {
    const { data, place } = this;
    const temperature = data.temperatures[place];
    this.$("input").value = place;
    this.$("input").setAttribute("aria-valuetext", `T = ${temperature.toFixed(2)}`);
    this.$("output").textContent = `T = ${temperature.toFixed(temperature < 10 ? 2 : 1)}`;
    data.sides.forEach((side, i) => this.measure(this.$(".sides").children[i], side.moments[place]));
    this.plots(temperature);
  }

  measure(box, { shares, entropy, weight, inverse }) {
    const [bars, derived] = box.querySelectorAll(".bars");
    const fills = [...bars.querySelectorAll(".fill")].filter((_, i) => i % 2);
    bars.querySelectorAll(".share").forEach((cell, i) => {
      cell.textContent = `${(100 * shares[i]).toFixed(1)} %`;
      fills[i].style.width = `${100 * shares[i]}%`;
    });
    const { classes } = this.data;
    const most = Math.log(classes);
    [
      [entropy / most, `${entropy.toFixed(2)} of max. ${most.toFixed(2)} nats`],
      [weight, weight.toFixed(3)],
      [inverse / classes, `${inverse.toFixed(2)} of max. ${classes}`],
    ].forEach(([share, text], i) => {
      derived.querySelectorAll(".fill")[i].style.width = `${100 * Math.min(1, share)}%`;
      derived.querySelectorAll(".value")[i].textContent = text;
    });
  }

  plots(temperature) {
    const { data } = this;
    const em = emOf();
    const [weights, area] = [this.$(".weights"), this.$(".area")];
    const width = area.parentElement.clientWidth;
    const room = roomFor(weights, this.whole, em);
    const shape = { width, height: Math.max(11 * em, Math.min(room, 0.6 * width)), em };
    const ends = data.temperatures.at(-1);
    const x = { low: 1, high: ends, log: true, name: "temperature T", ticks: [1, 2, 5, 10, 20, 50].filter((t) => t < ends) };
    const line = { at: temperature, text: `T = ${temperature.toFixed(temperature < 10 ? 2 : 1)}` };
    const along = (values) => values.map((v, i) => [data.temperatures[i], v]);
    const curves = Object.entries(data.curves).map(([name, values]) => ({ points: along(values), color: this.colors[0], name, at: Math.round(0.3 * values.length), dash: DASHES[name].map((d) => d * em).join(" ") }));
    weights.of = plot(weights, { ...shape, x, line, curves, y: { low: 0, high: data.classes, ticks: ticks(0, data.classes, 4), name: "weight w × number of classes" } });
    const [low, high] = data.range;
    area.of = plot(area, { ...shape, x, line, curves: [{ points: along(data.auc), color: this.colors[3] }], y: { low, high, ticks: ticks(low, high, 4), name: "AUC of the largest softmax as a score, %" } });
    const read = (name) => data.curves[name][this.place].toFixed(2);
    weights.setAttribute("aria-label", `Weights times ${data.classes} by temperature. At T = ${temperature.toFixed(2)}: ${Object.keys(DASHES).map((n) => `${n} ${read(n)}`).join(", ")}.`);
    area.setAttribute("aria-label", `AUC by temperature; at T = ${temperature.toFixed(2)} it is ${data.auc[this.place].toFixed(1)} percent.`);
    for (const svg of [weights, area]) svg.classList.toggle("movable", data.movable);
  }
}

export default mounted(OneImage);
