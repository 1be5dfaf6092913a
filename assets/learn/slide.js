// A picture with one movable position: by its slider, in its plots, or with the keys . and ,
// Python has computed what every position shows; only the final position is sent back.

class Slide {
  // whole, plots: selectors of the box around everything and of the SVGs in it
  constructor(root, whole, plots) {
    this.$ = (name) => root.querySelector(name);
    this.host = root.host ?? root;
    this.whole = this.$(whole);
    const input = this.$("input");
    input.oninput = () => this.move(Number(input.value), false);
    input.onchange = () => this.move(Number(input.value), true);
    for (const name of plots)
      draggable(this.$(name), (pixel, settled) => this.data.movable && this.move(this.nearest(this.$(name).of(pixel)), settled));
    // While a slider has the focus, the arrow and page keys move it and do not change the scene.
    root.addEventListener("keydown", (e) => e.target.type === "range" && /^(Arrow|Page|Home|End)/.test(e.key) && e.stopPropagation());
    this.onkey = (e) => {
      const by = { ".": 1, ",": -1 }[e.key];
      if (by && this.data.movable && forPage(e)) this.move(this.place + by, true);
    };
    document.addEventListener("keydown", this.onkey);
    this.resize = new ResizeObserver(() => this.data && this.whole.clientWidth && this.draw());
    this.resize.observe(this.whole);
  }

  end() {
    document.removeEventListener("keydown", this.onkey);
    this.resize.disconnect();
    clearTimeout(this.timer);
  }

  update(data, tell) {
    this.tell = tell;
    this.data = data;
    // Python's position is used when Python has changed it, not when it repeats an older one.
    if (this.request !== data.place) this.request = this.place = data.place;
    this.colors = applyScheme(this.host) ? COLORS.dark : COLORS.light;
    this.$(".slide").hidden = !data.movable;
    this.$("input").max = this.places.length - 1;
    this.fill();
    if (this.whole.clientWidth) this.draw();
  }

  // Index of the position closest to a value of the plots' x axis.
  nearest(value) {
    const far = this.places.map((v) => Math.abs(v - value));
    return far.indexOf(Math.min(...far));
  }

  move(place, settled) {
    this.place = Math.min(Math.max(place, 0), this.places.length - 1);
    this.draw();
    clearTimeout(this.timer);
    if (settled) this.timer = setTimeout(() => this.tell("now", { id: Date.now() + Math.random(), place: this.place }), 300);
  }
}
