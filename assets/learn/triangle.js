// Draws trajectories that Python computed; no formula of the method lives here.
// One instance per mount; the export runs again whenever its data changes.

const SECONDS = 8; // for the whole run at normal speed
const instances = new WeakMap();

export default function (component) {
  const { parentElement: root } = component;
  let view = instances.get(root);
  if (!view) instances.set(root, (view = new Triangle(root)));
  view.update(component.data, component.setStateValue);
  return () => {
    view.end();
    instances.delete(root);
  };
}

class Triangle extends Canvas {
  constructor(root) {
    super();
    this.root = root;
    this.at = null;
    this.playing = false;
    this.chosen = null;
    this.lens = null;
    this.look = {};
    this.$ = (name) => root.querySelector(name);
    this.$(".toggle").onclick = () => this.toggle();
    this.$(".restart").onclick = () => this.go(0);
    this.$(".back").onclick = () => this.go(Math.ceil(this.at) - 1);
    this.$(".next").onclick = () => this.go(Math.floor(this.at) + 1);
    this.$(".at").oninput = (e) => this.go(Number(e.target.value));
    for (const name of ["arrows", "dots"])
      this.$("." + name).onchange = (e) => this.choose(name, e.target.value);
    for (const name of ["star", "shade"])
      this.$("." + name).onchange = (e) => this.choose(name, e.target.checked);
    this.onkey = (e) => this.key(e);
    document.addEventListener("keydown", this.onkey);
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.$(".panels"));
  }

  end() {
    document.removeEventListener("keydown", this.onkey);
    this.resize.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.telling);
  }

  update(data, tell) {
    this.tell = tell;
    const first = this.at === null;
    this.data = data;
    if (this.framesOf !== data.frames) {
      const bytes = Uint8Array.from(atob(data.frames), (c) => c.charCodeAt(0));
      this.values = new Int16Array(bytes.buffer);
      this.framesOf = data.frames;
    }
    // Python sends its choice again with every run; only a change of it overrules the viewer's.
    const asked = JSON.stringify([data.look, data.step]);
    if (this.asked !== asked) {
      this.asked = asked;
      this.look = { ...data.look };
      this.at = data.step;
      if (!first) this.playing = false;
    }
    const keys = data.methods.map((m) => m.key).join();
    this.theme();
    if (this.built !== keys) this.build(keys);
    this.fill(".arrows", data.choices.arrows, this.look.arrows);
    this.fill(".dots", data.choices.dots, this.look.dots);
    this.$(".star").checked = this.look.star;
    this.$(".shade").checked = this.look.shade;
    this.$(".bar.play").hidden = !data.show.play;
    this.$(".bar.look").hidden = !data.show.look;
    this.$(".at").max = data.steps;
    this.draw();
  }

  theme() {
    const host = this.root.host ?? this.root;
    const style = getComputedStyle(host);
    this.text = style.getPropertyValue("--st-text-color").trim() || "#222";
    this.paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
    this.line = style.getPropertyValue("--st-border-color").trim() || "#bbb";
    this.font = style.getPropertyValue("--st-font").trim() || "sans-serif";
    this.dark = brightness(this.paper) < 128;
    this.colours = this.dark ? COLOURS.dark : COLOURS.light;
    const box = this.$(".triangle");
    box.classList.toggle("dark", this.dark);
    box.style.setProperty("--bar", this.dark ? "#E69F00" : "#B57A00");
    box.style.setProperty("--bar2", this.dark ? "#56B4E9" : "#0072B2");
    const names = [...this.data.classes.map((c) => `known, class ${c}`), "stranger"];
    this.$(".legend").innerHTML = names
      .map((n, i) => `<li>${svgMark(SHAPES[i], this.colours[i])}${n}</li>`)
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
      canvas.onpointermove = canvas.onpointerdown = (e) => this.point(m, e);
      canvas.onpointerleave = () => this.focus(null);
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
    // Keys that a focused control needs itself are left to it.
    const target = e.composedPath()[0];
    if (e.ctrlKey || e.metaKey || e.altKey || !this.data.show.play) return;
    if (target.closest?.("input:not([type=range]), textarea, select, button, [contenteditable=true]")) return;
    const act = {
      " ": () => this.toggle(),
      ".": () => this.go(Math.floor(this.at) + 1),
      ",": () => this.go(Math.ceil(this.at) - 1),
      0: () => this.go(0),
    }[e.key];
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
    this.last ??= now; // a frame's time may lie before the click that asked for it
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

  report() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.tell("at", { step: Math.round(this.at), ...this.look });
    }, 400);
  }

  draw() {
    if (!this.data || !this.values) return;
    const { data } = this;
    const k = Math.min(Math.round(this.at), data.steps);
    data.methods.forEach((method, m) => {
      const panel = this.panels[m];
      if (!panel.clientWidth) return;
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
      set(".auc", data.auc ? `AUC ${data.auc[m][k].toFixed(0)} %` : "AUC: no strangers");
      set(".words", data.words[m][k]);
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

  point(m, e) {
    const canvas = e.currentTarget;
    const box = canvas.getBoundingClientRect();
    const [x, y] = [e.clientX - box.left, e.clientY - box.top];
    let best = null;
    let near = (1.2 * this.em()) ** 2;
    (canvas.places || []).forEach(([px, py], i) => {
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < near) [near, best] = [d, i];
    });
    this.focus(best, m);
  }

  walk(m, e) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!by) return;
    e.preventDefault();
    e.stopPropagation();
    this.focus(((this.lens ?? -by) + by + this.data.n) % this.data.n, m);
  }

  focus(i, m) {
    if (this.lens === i && this.lensIn === m) return;
    this.lens = i;
    this.lensIn = m;
    this.draw();
  }

  describe(k) {
    const { data, lens } = this;
    const box = this.$(".detail");
    if (lens === null || lens === undefined) {
      box.textContent = "Point at a dot to follow one image in every triangle.";
      return;
    }
    const m = this.lensIn ?? 0;
    const a = this.value(m, lens, 0) / 1e4;
    const b = this.value(m, lens, 1) / 1e4;
    const p = [a, b, Math.max(0, 1 - a - b)];
    const h = p.reduce((sum, v) => sum - (v > 1e-9 ? v * Math.log(v) : 0), 0);
    const who = data.truth[lens] < 0 ? "a stranger" : `class ${data.classes[data.truth[lens]]}`;
    const parts = p.map((v, c) => `${data.classes[c]} ${(100 * v).toFixed(0)} %`).join(", ");
    box.textContent =
      `Image ${lens + 1} (${who}) under ${data.methods[m].title}, step ${k}: ${parts}; ` +
      `entropy ${h.toFixed(2)}; w = ${data.weights[m][lens].toFixed(2)}, 1/w = ${(1 / data.weights[m][lens]).toFixed(2)}.`;
  }
}
