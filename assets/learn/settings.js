// The settings beside the triangle, and the dots that were dragged. They are sent to Python, which
// computes every trajectory. While a response is pending, only the latest change waits.

const TIMEOUT = 4000; // milliseconds to wait for a response

class Settings {
  // owner: the triangle, whose controls these are
  constructor(owner, send) {
    this.owner = owner;
    this.send = send;
    this.sent = this.received = 0;
    this.pending = null;
    this.builtFor = "";
  }

  update(data) {
    this.received = data.received;
    this.presets = data.presets;
    // Python's values are used only if no newer change is pending.
    if (!this.busy() && !this.pending) this.values = { ...data.settings };
    const builtFor = JSON.stringify([data.controls, data.presets.map((p) => p.key)]);
    if (this.builtFor !== builtFor) this.build(data, builtFor);
    this.show();
    if (!this.busy() && this.pending) this.flush();
  }

  busy() {
    return this.received !== this.sent && Date.now() - this.since < TIMEOUT;
  }

  // Change some settings. settled: the control was released, so the address changes as well.
  change(changes, settled = true) {
    this.values = { ...this.values, ...changes };
    this.pending = { settled };
    this.show();
    if (!this.busy()) this.flush();
  }

  flush() {
    const { settled } = this.pending;
    this.pending = null;
    this.sent = Date.now() + Math.random(); // differs from the id of every earlier message
    this.since = Date.now();
    this.send(this.sent, settled);
  }

  another() {
    this.owner.rewind();
    this.change({ seed: (this.values.seed + 1) % 1000, moved: [] });
  }

  choose(preset) {
    this.owner.rewind();
    this.change({ ...preset.settings });
  }

  build(data, builtFor) {
    this.builtFor = builtFor;
    this.controls = data.controls;
    const box = this.owner.$(".settings");
    box.hidden = !data.controls.length;
    box.replaceChildren(...data.controls.map((control) => this.control(control)));
    const presets = this.owner.$(".presets");
    presets.hidden = this.owner.$(".preset-hint").hidden = !data.presets.length;
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

  control({ name, label, help, kind, choices, low, high, step }) {
    const box = document.createElement("label");
    box.className = "setting " + kind;
    box.title = help;
    const text = document.createElement("span");
    text.textContent = label;
    const input = document.createElement(kind === "select" ? "select" : "input");
    input.dataset.setting = name;
    input.setAttribute("aria-label", label);
    if (kind === "select")
      for (const [key, title] of Object.entries(choices)) input.append(new Option(title, key));
    else input.type = kind;
    if (kind === "checkbox") {
      box.append(input, text);
      input.onchange = () => this.change({ [name]: input.checked });
      return box;
    }
    if (kind === "select") input.onchange = () => this.change({ [name]: input.value, moved: [] });
    else {
      Object.assign(input, { min: low, max: high, step });
      const set = (settled) => input.value !== "" && this.change({ [name]: Number(input.value) }, settled);
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
    for (const { name, kind, digits } of this.controls) {
      const input = this.owner.$(`[data-setting="${name}"]`);
      const value = this.values[name];
      if (kind === "checkbox") input.checked = value;
      // A number that is being typed is not replaced.
      else if (kind !== "number" || input.getRootNode().activeElement !== input) input.value = value;
      if (kind === "range") this.owner.$(`[data-of="${name}"]`).textContent = value.toFixed(digits);
    }
    const same = ({ settings }) =>
      Object.entries(settings).every(([k, v]) => JSON.stringify(v) === JSON.stringify(this.values[k]));
    const chosen = this.presets.find(same);
    [...this.owner.$(".presets").children].forEach((button, i) =>
      button.setAttribute("aria-pressed", this.presets[i] === chosen)
    );
    this.owner.$(".preset-hint").textContent = chosen ? chosen.hint : "Custom settings.";
    this.owner.$(".reset-dots").hidden = !this.values.moved.length;
  }

  // Set the zero-shot prediction of image i: p_A and p_B, 0 to 1.
  place(i, a, b, settled) {
    const percent = (v, top) => Math.round(Math.min(Math.max(100 * v, 1), top));
    const first = percent(a, 98);
    const spot = [i, first, percent(b, 99 - first)];
    const others = this.values.moved.filter(([which]) => which !== i);
    this.change({ moved: [...others, spot].sort((x, y) => x[0] - y[0]) }, settled);
  }
}
