// The photo wall: photos grouped by what they are predicted as. They move between the groups when the
// point of the run or the threshold changes. Texts are set as text, never as markup.

const GAP = 6, HEAD = 28, BLOCK = 16, STEPS = 400, PACE = 1300; // pixels; milliseconds a point

class Wall {
  constructor(root) {
    this.root = root;
    this.photos = [];
    this.heads = new Map();
    this.moved = {}; // title of a point → threshold chosen by the viewer
    for (const name of ["film", "play", "time", "title", "size", "filtered", "filter", "find", "threshold",
      "at", "reset", "below", "above", "wall", "about"]) this[`$${name}`] = root.querySelector(`.${name}`);
    this.$svg = root.querySelector("svg");
    this.$time.oninput = () => { this.stop(); this.show(+this.$time.value); };
    this.$play.onclick = () => (this.timer ? this.stop() : this.play());
    this.$size.oninput = () => this.draw();
    this.$filter.onchange = this.$find.oninput = () => this.dim();
    this.$at.oninput = () => { this.moved[this.frame.title] = this.value(+this.$at.value); this.draw(); };
    this.$at.onchange = () => this.tell();
    this.$reset.onclick = () => { delete this.moved[this.frame.title]; this.draw(); this.tell(); };
    new ResizeObserver(() => this.width !== this.$wall.clientWidth && this.draw()).observe(this.$wall);
    window.addEventListener("ueo-pictures", (e) => e.detail === this.data?.wall && this.paint());
  }

  update({ data, setStateValue }) {
    const atEnd = !this.data || this.data.wall !== data.wall || this.at === this.data.frames.length - 1;
    if (this.data?.wall !== data.wall) this.begin(data);
    this.data = data;
    this.setStateValue = setStateValue;
    const n = data.frames.length;
    this.$film.hidden = n < 2;
    this.$filtered.hidden = this.$threshold.hidden = n < 1;
    this.$time.max = n - 1;
    if (!this.timer) this.show(atEnd ? n - 1 : Math.min(this.at, n - 1));
  }

  begin(data) {
    this.stop();
    this.$wall.replaceChildren();
    this.heads.clear();
    this.moved = {};
    this.photos = data.names.map((name, i) => {
      const photo = document.createElement("button");
      photo.type = "button";
      photo.className = "photo new";
      photo.tabIndex = -1;
      photo.append(document.createElement("img"));
      photo.firstChild.alt = "";
      photo.onclick = () => this.tellAbout(i);
      photo.onkeydown = (e) => this.step(e, i);
      return photo;
    });
    this.$wall.append(...this.photos);
    const few = data.names.length;
    this.$size.value = few <= 60 ? 104 : few <= 260 ? 72 : 56;
    this.data = data;
    this.paint();
  }

  paint() {
    const pictures = window.ueoPictures?.[this.data.wall];
    if (pictures) this.photos.forEach((photo, i) => { if (pictures[i]) photo.firstChild.src = pictures[i]; });
  }

  // Time

  show(at) {
    this.at = at;
    this.frame = this.data.frames[at];
    this.$time.value = at;
    this.$title.textContent = this.frame?.title ?? "";
    this.draw();
  }

  play() {
    let at = 0;
    this.show(at);
    this.$play.textContent = "⏸ Stop";
    this.timer = setInterval(() => (++at < this.data.frames.length ? this.show(at) : this.stop()), PACE);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.$play.textContent = "▶ Play";
  }

  // Groups

  get threshold() { return this.moved[this.frame.title] ?? this.frame.threshold; }

  isUnknown(i) {
    const moved = this.moved[this.frame.title];
    return moved !== undefined && this.frame.seen[i] ? this.frame.score[i] < moved : !!this.frame.unknown[i];
  }

  groups() {
    const { classes, names } = this.data, frame = this.frame;
    if (!frame) return [{ title: "Photos", members: names.map((_, i) => i) }];
    const found = classes.map((title) => ({ title, members: [] }));
    const unknown = { title: "unknown", members: [], unknown: true };
    names.forEach((_, i) => (this.isUnknown(i) ? unknown : found[frame.prediction[i]]).members.push(i));
    const by = (of) => (a, b) => of[b] - of[a];
    found.forEach((group) => group.members.sort(by(frame.confidence)));
    unknown.members.sort(by(frame.score)); // those nearest to the threshold first
    return [...found.filter((g) => classes.length <= 40 || g.members.length), unknown];
  }

  draw() {
    const size = +this.$size.value, groups = this.groups();
    this.width = this.$wall.clientWidth;
    if (!this.width) return;
    const known = groups.filter((g) => !g.unknown);
    const fit = Math.max(1, Math.floor(this.width / (3.4 * (size + GAP))));
    const beside = fit > 2 && known.length < groups.length; // the unknown have a column of their own
    const columns = Math.max(1, Math.min(known.length, beside ? fit - 1 : fit)), all = columns + beside;
    const wide = (this.width - (all - 1) * 2 * GAP) / all, ends = Array(all).fill(0);
    const used = new Set();
    groups.forEach((group, place) => {
      // Groups keep their columns while photos move: they are dealt out in the order of the classes.
      const below = group.unknown && !beside, column = group.unknown ? (beside ? columns : 0) : place % columns;
      const left = column * (wide + 2 * GAP), width = below ? this.width : wide;
      const top = below ? Math.max(...ends) : ends[column];
      this.head(group, left, top, width);
      used.add(group.title);
      const row = Math.max(1, Math.floor((width + GAP) / (size + GAP)));
      const side = Math.floor((width + GAP) / row) - GAP; // they fill their column
      group.members.forEach((i, k) => {
        const photo = this.photos[i];
        photo.style.width = photo.style.height = `${side}px`;
        photo.style.transform =
          `translate(${left + (k % row) * (side + GAP)}px, ${top + HEAD + Math.floor(k / row) * (side + GAP)}px)`;
        photo.tabIndex = k ? -1 : 0;
        photo.next = group.members[k + 1];
        photo.before = group.members[k - 1];
        photo.setAttribute("aria-label", this.said(i));
        photo.title = `${this.data.names[i]}\n${this.said(i)}`;
        photo.classList.toggle("changed", this.changed(i));
      });
      const bottom = top + HEAD + Math.ceil(group.members.length / row) * (side + GAP) + BLOCK;
      if (below) ends.fill(bottom);
      else ends[column] = bottom;
    });
    for (const [title, head] of this.heads) if (!used.has(title)) { head.remove(); this.heads.delete(title); }
    this.$wall.style.height = `${Math.max(...ends)}px`;
    this.strip();
    this.dim();
  }

  head(group, left, top, width) {
    let head = this.heads.get(group.title);
    if (!head) {
      head = document.createElement("h4");
      this.heads.set(group.title, head);
      this.$wall.append(head);
    }
    const count = document.createElement("span");
    count.textContent = ` ${group.members.length}`;
    head.classList.toggle("unknown", !!group.unknown);
    head.replaceChildren(group.title, count);
    head.style.width = `${width}px`;
    head.style.transform = `translate(${left}px, ${top}px)`;
  }

  // One photo

  said(i) {
    const frame = this.frame;
    if (!frame) return this.data.names[i];
    const sure = `${this.data.classes[frame.prediction[i]]} ${frame.confidence[i]} %`;
    return this.isUnknown(i) ? `unknown (closest: ${sure})` : sure;
  }

  changed(i) {
    const first = this.data.frames[0], frame = this.frame;
    if (!frame || frame === first) return false;
    const decided = (f, unknown) => (unknown ? -1 : f.prediction[i]);
    return decided(first, first.unknown[i]) !== decided(frame, this.isUnknown(i));
  }

  tellAbout(i) {
    const first = this.data.frames[0], { classes, names } = this.data;
    this.$about.querySelector("img").src = this.photos[i].firstChild.src;
    this.$about.querySelector(".name").textContent = names[i];
    let said = this.frame ? `${this.frame.title}: ${this.said(i)}` : "";
    if (first && this.frame !== first) {
      const sure = `${classes[first.prediction[i]]} ${first.confidence[i]} %`;
      said = `${first.title}: ${first.unknown[i] ? `unknown (closest: ${sure})` : sure}\n${said}`;
    }
    this.$about.querySelector(".said").textContent = said;
    this.$about.showModal();
  }

  step(event, i) {
    const to = { ArrowRight: this.photos[i].next, ArrowLeft: this.photos[i].before }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.photos[to].focus();
  }

  dim() {
    const wanted = this.$find.value.trim().toLowerCase(), { names } = this.data, frame = this.frame;
    const spread = frame ? Math.max(...frame.score) - Math.min(...frame.score) : 0;
    const near = (i) => Math.abs(frame.score[i] - this.threshold) < spread / 12;
    const keep = { all: () => true, changed: (i) => this.changed(i), near }[frame ? this.$filter.value : "all"];
    this.photos.forEach((photo, i) => {
      photo.classList.toggle("dim", !keep(i) || (!!wanted && !names[i].toLowerCase().includes(wanted)));
    });
  }

  // The threshold

  range() {
    const seen = this.frame.score.filter((_, i) => this.frame.seen[i]);
    const low = Math.min(...seen), high = Math.max(...seen), room = (high - low || 1e-6) * 0.02;
    return { seen, low: low - room, high: high + room };
  }

  value(step) {
    const { low, high } = this.range();
    return low + (step / STEPS) * (high - low);
  }

  strip() {
    if (!this.frame) return;
    const { seen, low, high } = this.range(), bins = Array(50).fill(0), t = this.threshold;
    seen.forEach((s) => bins[Math.min(49, Math.floor(((s - low) / (high - low)) * 50))]++);
    const most = Math.max(...bins), at = ((t - low) / (high - low)) * STEPS, shapes = [];
    const shape = (kind, of) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", kind);
      for (const [k, v] of Object.entries(of)) node.setAttribute(k, v);
      shapes.push(node);
    };
    bins.forEach((n, b) => shape("rect", { x: b * 8 + 0.5, y: 48 - (46 * n) / most, width: 7, height: (46 * n) / most,
      class: b * 8 + 4 < at ? "unknown-bar" : "known-bar" }));
    shape("line", { x1: at, x2: at, y1: 0, y2: 48, class: "line" });
    this.$svg.replaceChildren(...shapes);
    this.$at.value = at;
    const unknown = this.photos.filter((_, i) => this.isUnknown(i)).length;
    this.$below.textContent = `← unknown: ${unknown}`;
    this.$above.textContent = `known: ${this.photos.length - unknown} →`;
    this.$at.setAttribute("aria-valuetext", `${unknown} of ${this.photos.length} photos unknown`);
    this.$reset.hidden = this.moved[this.frame.title] === undefined;
  }

  tell() {
    if (this.at === this.data.frames.length - 1) this.setStateValue("threshold", this.moved[this.frame.title] ?? null);
  }
}

export default function (component) {
  const root = component.parentElement;
  (root.ueoWall ??= new Wall(root)).update(component);
}
