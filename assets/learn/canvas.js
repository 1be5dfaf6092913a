// Draws the triangle and its curve, from the data, the current step (`at`) and a look.

const LOG3 = Math.log(3);

// What a term that the viewer points at changes in the look.
const POINTED = { one: { arrows: "one" }, two: { arrows: "two" }, star: { star: true }, w: { dots: "w" } };

class Canvas {
  // The look, while a term of the text is pointed at with its mark shown.
  get seen() {
    return { ...this.look, ...POINTED[this.mark] };
  }

  // Opacity of a mark while a term is pointed at: the marks of the term stay, the others fade.
  fade(unknown) {
    if (this.mark === "known") return unknown ? 0.12 : 1;
    if (this.mark === "unknown") return unknown ? 1 : 0.12;
    return this.mark === "star" ? 0.25 : 1;
  }

  // Value v of point i of method m, interpolated between two steps. v = 0, 1: position; 2, 3: arrow
  // of term one; 4, 5: arrow of term two.
  value(m, i, v) {
    const { n, steps } = this.data;
    const k = Math.min(Math.floor(this.at), steps);
    const read = (step) => this.values[((m * (steps + 1) + step) * n + i) * 6 + v];
    const share = this.at - k;
    // A dragged dot moves at once, in every triangle: all start from the same images.
    if (this.dragged && this.dragged[0] === i && v < 2 && this.at === 0) return 1e4 * this.dragged[1 + v];
    return share ? read(k) * (1 - share) + read(k + 1) * share : read(k);
  }

  prepare(canvas, height) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const style = height + "px";
    if (canvas.style.height !== style) canvas.style.height = style;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return [pen, width];
  }

  em() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  }

  geometry(width) {
    const em = this.em();
    // As large as the panel and the screen allow; see fit().
    const high = ((this.room - 3.4 * em) * 2) / Math.sqrt(3) || 0;
    const side = Math.max(9 * em, Math.min(width - 2.4 * em, Math.max(9.5 * em, high)));
    const left = (width - side) / 2;
    const top = 1.7 * em;
    const tall = (side * Math.sqrt(3)) / 2;
    const at = (a, b) => [left + side * (b + (1 - a - b) / 2), top + tall * (a + b)];
    const shares = (x, y) => {
      const c = 1 - (y - top) / tall;
      const b = (x - left) / side - c / 2;
      return [1 - b - c, b];
    };
    return { em, side, top, tall, at, shares, height: top + tall + 1.7 * em };
  }

  drawSimplex(canvas, m) {
    const { data } = this;
    const shape = this.geometry(canvas.clientWidth);
    const { em, side, tall, at } = shape;
    const [pen, width] = this.prepare(canvas, shape.height);
    const [a, b, c] = [at(1, 0), at(0, 1), at(0, 0)];
    pen.beginPath();
    pen.moveTo(...a);
    pen.lineTo(...b);
    pen.lineTo(...c);
    pen.closePath();
    if (this.seen.shade) {
      pen.save();
      pen.clip();
      pen.drawImage(this.shading(), a[0], c[1], side, tall);
      pen.restore();
    }
    pen.strokeStyle = this.text;
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.globalAlpha = 0.25; // borders between the three predictions
    for (const [x, y] of [[0.5, 0.5], [0.5, 0], [0, 0.5]]) {
      pen.beginPath();
      pen.moveTo(...at(1 / 3, 1 / 3));
      pen.lineTo(...at(x, y));
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.font = `600 ${em}px ${this.font}`;
    pen.fillStyle = this.text;
    const radius = Math.max(3.2, Math.min(side / 60, 0.45 * em));
    const places = [];
    for (let i = 0; i < data.n; i++)
      places.push(at(this.value(m, i, 0) / 1e4, this.value(m, i, 1) / 1e4));
    this.corners(pen, m, [a, b, c], em, side);
    if (this.seen.trails) this.trails(pen, m, at, places);
    if (this.seen.arrows !== "none") places.forEach((p, i) => this.arrows(pen, m, i, p, shape));
    places.forEach((p, i) => {
      const mark = data.truth[i] < 0 ? 3 : data.truth[i];
      pen.globalAlpha = this.fade(mark === 3);
      pen.beginPath();
      trace(pen, SHAPES[mark], p[0], p[1], radius * this.scale(m, i));
      pen.fillStyle = this.colors[mark];
      pen.fill();
      pen.lineWidth = i === this.selected ? 3 : 1;
      pen.strokeStyle = i === this.selected ? this.text : this.paper;
      pen.stroke();
    });
    pen.globalAlpha = 1;
    this.rings(pen, this.mark === "corner" ? [a, b, c] : this.mark === "middle" ? [at(1 / 3, 1 / 3)] : [], 0.06 * side);
    if (this.seen.star) {
      const k = Math.min(Math.floor(this.at), data.steps);
      const [x, y] = at(...data.mean[m][k]);
      pen.beginPath();
      star(pen, x, y, (this.mark === "star" ? 3.4 : 2.1) * radius);
      pen.fillStyle = this.dark ? "#F0E442" : "#FFD400";
      pen.fill();
      pen.lineWidth = 1.5;
      pen.strokeStyle = this.dark ? "#11181F" : "#1B2733";
      pen.stroke();
    }
    canvas.places = places;
    canvas.shares = shape.shares;
  }

  // Rings around the places of which the text speaks.
  rings(pen, spots, radius) {
    pen.strokeStyle = this.bars[0];
    pen.lineWidth = 4;
    for (const [x, y] of spots) {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  // The path of every point from step 0 to the current step, in the color of its mark.
  trails(pen, m, at, places) {
    const { n, steps, truth } = this.data;
    const last = Math.floor(this.at);
    pen.globalAlpha = 0.35;
    pen.lineWidth = 1.2;
    for (let mark = 0; mark < 4; mark++) {
      pen.strokeStyle = this.colors[mark];
      pen.setLineDash(mark === 3 ? [3, 3] : []);
      pen.beginPath();
      for (let i = 0; i < n; i++) {
        if ((truth[i] < 0 ? 3 : truth[i]) !== mark) continue;
        for (let k = 0; k <= last; k++) {
          const spot = ((m * (steps + 1) + k) * n + i) * 6;
          const [x, y] = at(this.values[spot] / 1e4, this.values[spot + 1] / 1e4);
          k ? pen.lineTo(x, y) : pen.moveTo(x, y);
        }
        pen.lineTo(...places[i]);
      }
      pen.stroke();
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  // The names of the corners, and the number of points in each, because these overlap.
  corners(pen, m, corners, em, side) {
    const inside = [[0, 0], [0, 0], [0, 0]]; // known, unknown
    for (let i = 0; i < this.data.n; i++) {
      const [p, q] = [this.value(m, i, 0) / 1e4, this.value(m, i, 1) / 1e4];
      const c = [p, q, 1 - p - q].findIndex((v) => v > 0.95);
      if (c >= 0) inside[c][this.data.truth[i] < 0 ? 1 : 0]++;
    }
    const text = (c) => {
      const [known, unknown] = inside[c];
      const parts = [known && `${known}${side > 15 * em ? " known" : ""}`, unknown && `${unknown} ◆`];
      return [this.data.classes[c], parts.filter(Boolean).join(" + ")].filter(Boolean).join(" · ");
    };
    const [a, b, c] = corners;
    pen.textAlign = "left";
    pen.fillText(text(0), a[0] - 0.9 * em, a[1] + 1.45 * em);
    pen.textAlign = "right";
    pen.fillText(text(1), b[0] + 0.9 * em, b[1] + 1.45 * em);
    pen.textAlign = "center";
    pen.fillText(text(2), c[0], c[1] - 0.8 * em);
  }

  scale(m, i) {
    if (this.seen.dots === "equal") return 1;
    const w = this.data.weights[m];
    const share = this.seen.dots === "w" ? w[i] : 1 / w[i];
    const mean = w.reduce((sum, v) => sum + (this.seen.dots === "w" ? v : 1 / v), 0) / w.length;
    return Math.min(2.6, Math.max(0.5, share / mean) ** 1.4);
  }

  // The arrows of one point, as the look says.
  arrows(pen, m, i, place, shape) {
    const { arrows } = this.seen;
    const vector = (v) => [this.value(m, i, v) / 1e3, this.value(m, i, v + 1) / 1e3];
    if (arrows === "move") {
      const k = Math.floor(this.at);
      if (k >= this.data.steps) return;
      const { n, steps } = this.data;
      const read = (s, v) => this.values[((m * (steps + 1) + s) * n + i) * 6 + v] / 1e4;
      this.arrow(pen, read(k + 1, 0) - read(k, 0), read(k + 1, 1) - read(k, 1), 0.02, place, shape);
    } else if (arrows === "both") {
      const [one, two] = [vector(2), vector(4)];
      this.arrow(pen, one[0] + two[0], one[1] + two[1], 0.12, place, shape);
    } else {
      if (arrows !== "two") this.arrow(pen, ...vector(2), 0.12, place, shape, this.bars[0], []);
      if (arrows !== "one") this.arrow(pen, ...vector(4), 0.12, place, shape, this.bars[1], [3, 2]);
    }
  }

  // The direction is exact. The length is compressed, or most arrows would be too short to see.
  arrow(pen, da, db, grow, [x, y], shape, color = this.text, dash = []) {
    const dx = shape.side * (db + (-da - db) / 2);
    const dy = shape.tall * (da + db);
    const size = Math.hypot(dx, dy) / shape.side;
    if (size < 1e-3) return;
    const length = (0.11 * shape.side * size) / (size + grow);
    const [ux, uy] = [dx / (size * shape.side), dy / (size * shape.side)];
    const [tx, ty] = [x + ux * length, y + uy * length];
    const head = Math.min(6, 0.45 * length);
    pen.strokeStyle = pen.fillStyle = color;
    pen.globalAlpha = color === this.text ? 0.6 : 0.9;
    pen.lineWidth = color === this.text ? 1.4 : 2;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(tx, ty);
    pen.stroke();
    pen.setLineDash([]);
    pen.beginPath();
    pen.moveTo(tx + ux * head, ty + uy * head);
    pen.lineTo(tx - uy * head * 0.6, ty + ux * head * 0.6);
    pen.lineTo(tx + uy * head * 0.6, ty - ux * head * 0.6);
    pen.fill();
    pen.globalAlpha = 1;
  }

  shading() {
    const key = this.dark ? "dark" : "light";
    if (this.shaded?.key === key) return this.shaded;
    const size = 120;
    const canvas = document.createElement("canvas");
    canvas.key = key;
    canvas.width = canvas.height = size;
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(size, size);
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++) {
        const t = y / (size - 1); // 0 at corner C
        const c = 1 - t;
        const b = x / (size - 1) - c / 2;
        const a = 1 - b - c;
        const h = [a, b, c].reduce((sum, p) => sum - (p > 1e-9 ? p * Math.log(p) : 0), 0) / LOG3;
        const at = 4 * (y * size + x);
        image.data.set(this.dark ? [240, 180, 60, 150 * h] : [200, 130, 0, 120 * h], at);
      }
    pen.putImageData(image, 0, 0);
    return (this.shaded = canvas);
  }

  drawCurve(canvas, m, k) {
    const em = this.em();
    const height = 3.4 * em;
    const [pen, width] = this.prepare(canvas, height);
    const terms = this.data.terms[m].slice(0, this.far + 1); // what has not been played is not shown
    const x = (s) => 2 + ((width - 4) * s) / this.data.steps;
    const y = (v) => height - 3 - ((height - 6) * v) / LOG3;
    this.bars.forEach((color, t) => {
      pen.strokeStyle = color;
      pen.setLineDash(t ? [5, 4] : []);
      pen.lineWidth = 2;
      pen.beginPath();
      terms.forEach((v, s) => pen.lineTo(x(s), y(v[t])));
      pen.stroke();
    });
    pen.setLineDash([]);
    this.names(pen, terms, x, y, width);
    pen.strokeStyle = this.text;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x(this.at), 0);
    pen.lineTo(x(this.at), height);
    pen.stroke();
  }

  // The names of the two curves, at their ends; the upper one above its curve, the lower one below.
  names(pen, terms, x, y, width) {
    const em = 0.75 * this.em();
    const last = terms.length - 1;
    const ends = terms[last];
    const low = ends[0] < ends[1] ? 0 : 1;
    pen.font = `600 ${em}px ${this.font}`;
    pen.textAlign = x(last) > width / 2 ? "right" : "left";
    ["term one", "term two"].forEach((name, t) => {
      pen.fillStyle = this.bars[t];
      const place = y(ends[t]) + (t === low ? 1.1 * em : -0.35 * em);
      pen.fillText(name, x(last), Math.min(Math.max(place, em), 3.3 * this.em()));
    });
  }
}
