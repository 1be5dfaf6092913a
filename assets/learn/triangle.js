// Draws trajectories that Python has computed; nothing of the method is computed here.

const SECONDS = 8; // to play all steps
const SWITCHES = ["star", "trails", "shade"];

class Triangle extends Canvas {
  constructor(root) {
    super();
    this.root = root;
    this.at = null;
    this.playing = false;
    this.chosen = null;
    this.selected = null;
    this.look = {};
    this.$ = (name) => root.querySelector(name);
    this.settings = new Settings(this, (id, settled) => this.tell("now", this.state(id, settled)));
    this.$(".toggle").onclick = () => this.toggle();
    this.$(".restart").onclick = () => this.go(0);
    this.$(".back").onclick = () => this.go(Math.ceil(this.at) - 1);
    this.$(".next").onclick = () => this.go(Math.floor(this.at) + 1);
    this.$(".at").oninput = (e) => this.go(Number(e.target.value));
    for (const name of ["arrows", "dots"])
      this.$("." + name).onchange = (e) => this.choose(name, e.target.value);
    for (const name of SWITCHES)
      this.$("." + name).onchange = (e) => this.choose(name, e.target.checked);
    this.$(".batch").onclick = () => this.settings.another();
    this.$(".reset-dots").onclick = () => this.settings.change({ moved: [] });
    // While a slider has the focus, the arrow and page keys move it and do not change the scene.
    root.addEventListener("keydown", (e) => e.target.type === "range" && /^(Arrow|Page|Home|End)/.test(e.key) && e.stopPropagation());
    this.onkey = (e) => this.key(e);
    document.addEventListener("keydown", this.onkey);
    // Each symbol of the formula has a look; Python requests the same one a moment later.
    this.onlook = (e) => this.take(e.detail, JSON.parse(this.request)[1]);
    document.addEventListener("ueo-learn-look", this.onlook);
    // A term of the text is pointed at; see keys.js.
    this.onmark = (e) => this.highlight(e.detail);
    document.addEventListener("ueo-learn-mark", this.onmark);
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(this.$(".panels"));
  }

  end() {
    document.removeEventListener("keydown", this.onkey);
    document.removeEventListener("ueo-learn-look", this.onlook);
    document.removeEventListener("ueo-learn-mark", this.onmark);
    this.resize.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
  }

  update(data, tell) {
    this.tell = tell;
    const first = this.at === null;
    this.data = data;
    if (this.framesOf !== data.frames) {
      const text = atob(data.frames);
      const bytes = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // takes a tenth of the time of Uint8Array.from
      this.values = new Int16Array(bytes.buffer);
      this.framesOf = data.frames;
      this.far = 0; // the last step that has been on the screen
    }
    if (data.played) this.far = data.steps;
    // Python sends its look with every run; it replaces the viewer's choice only when it has changed.
    if (this.request !== JSON.stringify([data.look, data.step])) {
      this.at = data.step;
      if (!first) this.playing = false;
      this.take(data.look, data.step);
    }
    const keys = data.methods.map((m) => m.key).join();
    this.theme();
    if (this.built !== keys) this.build(keys);
    this.controls();
    this.$(".bar.play").hidden = !data.show.play;
    this.$(".batch").hidden = !data.show.batch;
    this.$(".triangle").classList.toggle("presented", data.show.large);
    this.$(".bar.look").hidden = !data.show.look;
    this.$(".at").max = data.steps;
    this.settings.update(data);
    if (!this.held && !this.settings.busy()) this.dragged = null; // the dragged dot has been computed
    this.fit();
  }

  // Show a look from Python at a step.
  take(look, step) {
    this.request = JSON.stringify([look, step]);
    this.look = { ...look };
    if (!this.built) return;
    this.controls();
    this.draw();
  }

  controls() {
    for (const name of ["arrows", "dots"]) this.fill("." + name, this.data.choices[name], this.look[name]);
    for (const name of SWITCHES) this.$("." + name).checked = this.look[name];
  }

  // Find the height for the triangle with which everything below it still fits on the screen.
  fit() {
    const canvas = this.panels?.map((p) => p.querySelector(".simplex")).find((c) => c.clientWidth);
    if (!canvas) return;
    this.besideText();
    const box = this.$(".triangle").getBoundingClientRect();
    const scrolled = document.querySelector('[data-testid="stMain"]')?.scrollTop ?? 0;
    const rest = this.beside ? 1.2 * this.em() : box.height - canvas.getBoundingClientRect().height;
    this.room = window.innerHeight - (box.top + scrolled) - rest - this.em();
    this.draw();
  }

  // A single triangle that is presented takes the whole height; the scene's text is beside it, and
  // what belongs to the triangle is below the text.
  besideText() {
    const text = document.querySelector(".st-key-learn-text");
    this.beside = Boolean(text && getComputedStyle(text).position === "absolute");
    const box = this.$(".triangle");
    box.classList.toggle("beside", this.beside);
    if (!this.beside) return;
    box.style.setProperty("--text", text.offsetHeight + "px");
    if (this.watched !== text) this.resize.observe((this.watched = text));
  }

  // Show the mark of a term of the text, null for none.
  highlight(mark) {
    this.mark = mark;
    for (const panel of this.panels ?? [])
      for (const term of ["one", "two"]) panel.querySelector(".numbers").classList.toggle(term, mark === term);
    this.draw();
  }

  // The message to Python.
  state(id, settled) {
    return { id, settled, step: Math.round(this.at), settings: this.settings.values, ...this.look };
  }

  theme() {
    const host = this.root.host ?? this.root;
    const style = getComputedStyle(host);
    this.text = style.getPropertyValue("--st-text-color").trim() || "#222";
    this.paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
    this.line = style.getPropertyValue("--st-border-color").trim() || "#bbb";
    this.font = style.getPropertyValue("--st-font").trim() || "sans-serif";
    this.dark = applyScheme(host);
    this.colors = this.dark ? COLORS.dark : COLORS.light;
    const box = this.$(".triangle");
    box.classList.toggle("dark", this.dark);
    this.bars = this.dark ? ["#E69F00", "#56B4E9"] : ["#B57A00", "#0072B2"]; // of term one and two
    this.bars.forEach((color, t) => box.style.setProperty(`--bar${t + 1}`, color));
    const names = [...this.data.classes.map((c) => `known, class ${c}`), "unknown"];
    this.$(".legend").innerHTML = names
      .map((n, i) => `<li>${svgMark(SHAPES[i], this.colors[i])}${n}</li>`)
      .join("");
  }

  build(keys) {
    this.built = keys;
    const { methods } = this.data;
    const many = methods.length > 1;
    const panels = this.$(".panels");
    panels.style.setProperty("--panels", methods.length);
    panels.classList.toggle("many", many);
    panels.innerHTML = methods
      .map(
        (m) => `<section class="panel" aria-label="${m.title}">
          <h3>${m.title}</h3><p class="about" ${this.data.about ? "" : "hidden"}>${m.about}</p>
          <canvas class="simplex" role="img" tabindex="0"></canvas>
          <p class="words" aria-live="polite"></p>
          <div class="numbers">
            <span>term one</span><span class="track"><span class="fill one"></span></span><b class="one"></b>
            <span>term two</span><span class="track"><span class="fill two"></span></span><b class="two"></b>
          </div>
          <p class="scores"><span class="loss"></span><span class="acc"></span><span class="auc"></span></p>
          <canvas class="curve" aria-hidden="true"></canvas></section>`
      )
      .join("");
    this.panels = [...panels.children];
    this.panels.forEach((panel, m) => {
      const canvas = panel.querySelector(".simplex");
      canvas.onpointermove = (e) => this.point(m, e);
      canvas.onpointerdown = (e) => this.grab(m, e);
      canvas.onpointerup = canvas.onpointercancel = (e) => this.drop(e);
      const touch = (e) => this.touch(e);
      canvas.addEventListener("touchstart", touch, { passive: false });
      canvas.onpointerleave = () => !this.held && this.focus(null);
      canvas.onkeydown = (e) => this.walk(m, e);
    });
    const tabs = this.$(".tabs");
    tabs.classList.toggle("many", many);
    tabs.innerHTML = methods.map((m) => `<button type="button" role="tab">${m.title}</button>`).join("");
    if (this.chosen === null || this.chosen >= methods.length) this.chosen = methods.length - 1;
    [...tabs.children].forEach((tab, m) => {
      tab.onclick = () => this.tab(m);
    });
    this.tab(this.chosen);
  }

  tab(m) {
    this.chosen = m;
    this.panels.forEach((p, i) => p.classList.toggle("chosen", i === m));
    [...this.$(".tabs").children].forEach((t, i) => t.setAttribute("aria-selected", i === m));
    this.draw();
  }

  fill(name, choices, value) {
    const select = this.$(name);
    if (select.children.length !== Object.keys(choices).length)
      select.innerHTML = Object.entries(choices)
        .map(([k, v]) => `<option value="${k}">${v}</option>`)
        .join("");
    select.value = value;
  }

  choose(name, value) {
    this.look[name] = value;
    this.draw();
    this.report();
  }

  key(e) {
    // Keys that the focused control uses are not handled here.
    const target = e.composedPath()[0];
    if (e.ctrlKey || e.metaKey || e.altKey || !this.data.show.play) return;
    if (target.closest?.("input:not([type=range]), textarea, select, button, [contenteditable=true]")) {
      if (e.key !== " " || target.getAttribute("aria-pressed") !== "true") return;
      target.blur(); // the preset is already selected: Space plays
    }
    const act = {
      " ": () => this.toggle(),
      ".": () => this.go(Math.floor(this.at) + 1),
      ",": () => this.go(Math.ceil(this.at) - 1),
      0: () => this.go(0),
      b: () => this.data.show.batch && this.settings.another(),
    }[e.key.toLowerCase()];
    if (act) {
      e.preventDefault();
      act();
    }
  }

  toggle() {
    if (this.playing) return this.pause();
    if (this.at >= this.data.steps) this.at = 0;
    this.playing = true;
    this.last = null;
    this.frame = requestAnimationFrame((t) => this.tick(t));
    this.draw();
  }

  pause() {
    this.playing = false;
    this.at = Math.round(this.at);
    this.draw();
    this.report();
  }

  tick(now) {
    if (!this.playing) return;
    this.last ??= now; // the time of a frame can be before the click that requested it
    this.at = Math.min(this.data.steps, this.at + ((now - this.last) / 1000 / SECONDS) * this.data.steps);
    this.last = now;
    if (this.at >= this.data.steps) return this.pause();
    this.draw();
    this.frame = requestAnimationFrame((t) => this.tick(t));
  }

  go(step) {
    this.playing = false;
    this.at = Math.min(Math.max(step, 0), this.data.steps);
    this.draw();
    this.report();
  }

  rewind() {
    this.playing = false;
    this.at = 0;
    this.draw();
  }

  report() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settings.change({}), 400);
  }

  draw() {
    if (!this.data || !this.values) return;
    const { data } = this;
    const k = Math.min(Math.round(this.at), data.steps);
    this.far = Math.max(this.far, k);
    data.methods.forEach((method, m) => {
      const panel = this.panels[m];
      if (!panel.querySelector(".simplex").clientWidth) return;
      this.drawSimplex(panel.querySelector(".simplex"), m);
      const [one, two] = data.terms[m][k];
      const lambda = data.trade[m];
      const set = (name, text) => (panel.querySelector(name).textContent = text);
      panel.querySelector(".fill.one").style.width = (100 * one) / LOG3 + "%";
      panel.querySelector(".fill.two").style.width = (100 * two) / LOG3 + "%";
      set("b.one", one.toFixed(2));
      set("b.two", `${lambda.toFixed(1)} × ${two.toFixed(2)}`);
      set(".loss", `loss ${(one - lambda * two).toFixed(2).replace("-", "−")}`);
      set(".acc", `ACC ${data.acc[m][k].toFixed(0)} %`);
      set(".auc", data.auc ? `AUC ${data.auc[m][k].toFixed(0)} %` : "AUC: no unknown images");
      set(".words", keepTogether(data.words[m][k]));
      panel.querySelector(".simplex").classList.toggle("draggable", this.draggable());
      panel.querySelector(".simplex").setAttribute("aria-label", `${data.alt} Step ${k}. ${data.words[m][k]}`);
      this.drawCurve(panel.querySelector(".curve"), m, k);
    });
    this.$(".at").value = Math.round(this.at);
    this.$(".count").textContent = `step ${k} / ${data.steps}`;
    this.$(".toggle").textContent = this.playing ? "Pause" : "Play";
    this.$(".back").disabled = this.$(".restart").disabled = k === 0;
    this.$(".next").disabled = k === data.steps;
    this.describe(k);
  }

  // The position of an event on a canvas, and the closest dot.
  near(e, canvas = e.currentTarget) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [e.clientX - box.left, e.clientY - box.top];
    let best = null;
    let near = (1.2 * this.em()) ** 2;
    (canvas.places || []).forEach(([px, py], i) => {
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < near) [near, best] = [d, i];
    });
    return { canvas, x, y, best };
  }

  point(m, e) {
    const { canvas, x, y, best } = this.near(e);
    if (this.held) return this.drag(canvas.shares(x, y));
    this.focus(best, m);
  }

  // At step 0 a dot can be dragged: this changes the image.
  grab(m, e) {
    const { canvas, best } = this.near(e);
    // A finger drags a dot only after it has tapped it; else it scrolls.
    const takes = e.pointerType !== "touch" || best === this.selected;
    this.focus(best, m);
    if (best === null || !takes || !this.draggable()) return;
    this.held = true;
    canvas.setPointerCapture(e.pointerId);
    e.preventDefault();
  }

  // A finger on the selected dot moves the dot; elsewhere it scrolls the page.
  touch(e) {
    const { best } = this.near(e.touches[0], e.currentTarget);
    if (best !== null && best === this.selected && this.draggable()) e.preventDefault();
  }

  // Whether dots can be dragged now.
  draggable() {
    return this.at === 0 && this.data.show.drag;
  }

  drag([a, b]) {
    const inside = (v, top) => Math.min(Math.max(v, 0.01), top);
    const first = inside(a, 0.98);
    this.dragged = [this.selected, first, inside(b, 0.99 - first)];
    this.settings.place(...this.dragged, false);
    this.draw();
  }

  drop() {
    if (this.held && this.dragged) this.settings.place(...this.dragged, true);
    this.held = false;
  }

  walk(m, e) {
    const step = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[e.key];
    if (!step || (step[0] && !e.shiftKey)) return;
    e.preventDefault();
    e.stopPropagation();
    if (!e.shiftKey) return this.focus(((this.selected ?? -step[1]) + step[1] + this.data.n) % this.data.n, m);
    if (this.selected === null || !this.draggable()) return;
    const [x, y] = e.currentTarget.places[this.selected];
    this.drag(e.currentTarget.shares(x + 0.7 * this.em() * step[0], y + 0.7 * this.em() * step[1]));
    this.settings.place(...this.dragged, true);
  }

  focus(i, m) {
    if (this.selected === i && this.selectedIn === m) return;
    this.selected = i;
    this.selectedIn = m;
    point(i === null ? null : this.data.truth[i] < 0 ? "unknown" : "known");
    this.draw();
  }

  describe(k) {
    const { data, selected } = this;
    const box = this.$(".who");
    if (selected === null || selected === undefined) {
      box.textContent =
        `Point at a dot to see the numbers of its image${data.methods.length > 1 ? " and to find it in every triangle" : ""}.` +
        (!data.show.drag ? "" : k ? " At step 0, dots can be dragged." : " Drag a dot to change its image.");
      return;
    }
    const m = this.selectedIn ?? 0;
    const a = this.value(m, selected, 0) / 1e4;
    const b = this.value(m, selected, 1) / 1e4;
    const p = [a, b, Math.max(0, 1 - a - b)];
    const h = p.reduce((sum, v) => sum - (v > 1e-9 ? v * Math.log(v) : 0), 0);
    const who = data.truth[selected] < 0 ? "unknown" : `class ${data.classes[data.truth[selected]]}`;
    const parts = p.map((v, c) => `${data.classes[c]} ${(100 * v).toFixed(0)} %`).join(", ");
    box.textContent =
      `Image ${selected + 1} (${who}) with ${data.methods[m].title}, step ${k}: ${parts}; ` +
      `entropy ${h.toFixed(2)}; w = ${data.weights[m][selected].toFixed(2)}, 1/w = ${(1 / data.weights[m][selected]).toFixed(2)}.`;
  }
}

export default mounted(Triangle);
