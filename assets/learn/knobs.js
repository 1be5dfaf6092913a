// The knobs beside the triangle, and dots that are moved by hand. What they are set to is sent to
// Python, which computes every trajectory; while one answer is under way, only the last wish waits.

const PATIENCE = 4000; // milliseconds after which an answer is no longer waited for

class Knobs {
  // owner: told by `turned` where the picture has to change at once.
  constructor(owner, send) {
    this.owner = owner;
    this.send = send;
    this.sent = this.heard = 0;
    this.wish = null;
    this.built = "";
  }

  update(data) {
    this.heard = data.heard;
    this.titles = data.presets;
    // Python's values count only while nothing newer is on its way.
    if (!this.busy() && !this.wish) this.values = { ...data.knobs };
    const built = JSON.stringify([data.handles, data.presets.map((p) => p.key)]);
    if (this.built !== built) this.build(data, built);
    this.show();
    if (!this.busy() && this.wish) this.flush();
  }

  busy() {
    return this.heard !== this.sent && Date.now() - this.since < PATIENCE;
  }

  // Change some knobs. settled: the hand has let go, so the address may change as well.
  turn(changes, settled = true) {
    this.values = { ...this.values, ...changes };
    this.wish = { settled };
    this.show();
    if (!this.busy()) this.flush();
  }

  flush() {
    const { settled } = this.wish;
    this.wish = null;
    this.sent = Date.now() + Math.random(); // a value that no earlier message had
    this.since = Date.now();
    this.send(this.sent, settled);
  }

  another() {
    this.owner.rewind();
    this.turn({ seed: (this.values.seed + 1) % 1000, moved: [] });
  }

  choose(preset) {
    this.owner.rewind();
    this.turn({ ...preset.knobs });
  }

  build(data, built) {
    this.built = built;
    this.handles = data.handles;
    const box = this.owner.$(".knobs");
    box.hidden = !data.handles.length;
    box.replaceChildren(...data.handles.map((handle) => this.handle(handle)));
    const presets = this.owner.$(".presets");
    presets.hidden = this.owner.$(".preset-look").hidden = !data.presets.length;
    presets.replaceChildren(
      ...data.presets.map((preset) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = preset.title;
        button.onclick = () => this.choose(preset);
        return button;
      })
    );
  }

  handle({ name, label, help, kind, choices, low, high, step }) {
    const box = document.createElement("label");
    box.className = "knob " + kind;
    box.title = help;
    const text = document.createElement("span");
    text.textContent = label;
    const input = document.createElement(kind === "select" ? "select" : "input");
    input.dataset.knob = name;
    input.setAttribute("aria-label", label);
    if (kind === "select")
      for (const [key, title] of Object.entries(choices)) input.append(new Option(title, key));
    else input.type = kind;
    if (kind === "checkbox") {
      box.append(input, text);
      input.onchange = () => this.turn({ [name]: input.checked });
      return box;
    }
    if (kind === "select") input.onchange = () => this.turn({ [name]: input.value, moved: [] });
    else {
      Object.assign(input, { min: low, max: high, step });
      const set = (settled) => input.value !== "" && this.turn({ [name]: Number(input.value) }, settled);
      input.oninput = () => set(false);
      input.onchange = () => set(true);
    }
    box.append(text);
    if (kind === "range") {
      const value = document.createElement("output");
      value.dataset.of = name;
      box.append(value);
    }
    box.append(input);
    return box;
  }

  show() {
    for (const { name, kind, digits } of this.handles) {
      const input = this.owner.$(`[data-knob="${name}"]`);
      const value = this.values[name];
      if (kind === "checkbox") input.checked = value;
      // A number that is being typed is left alone.
      else if (kind !== "number" || input.getRootNode().activeElement !== input) input.value = value;
      if (kind === "range") this.owner.$(`[data-of="${name}"]`).textContent = value.toFixed(digits);
    }
    const same = ({ knobs }) =>
      Object.entries(knobs).every(([k, v]) => JSON.stringify(v) === JSON.stringify(this.values[k]));
    const chosen = this.titles.find(same);
    [...this.owner.$(".presets").children].forEach((button, i) =>
      button.setAttribute("aria-pressed", this.titles[i] === chosen)
    );
    this.owner.$(".preset-look").textContent = chosen ? chosen.look : "Your own setting.";
    this.owner.$(".unmove").hidden = !this.values.moved.length;
  }

  // Where image i starts from now on: p_A and p_B as shares.
  place(i, a, b, settled) {
    const percent = (v, top) => Math.round(Math.min(Math.max(100 * v, 1), top));
    const first = percent(a, 98);
    const spot = [i, first, percent(b, 99 - first)];
    const others = this.values.moved.filter(([which]) => which !== i);
    this.turn({ moved: [...others, spot].sort((x, y) => x[0] - y[0]) }, settled);
  }
}
