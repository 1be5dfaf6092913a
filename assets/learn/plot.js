// Curves in an SVG, redrawn during a drag, at any type size.

const MARKS = { circle: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0", triangle: "M0-7L7 6L-7 6Z" };

// At most `most` round numbers between two numbers.
function ticks(low, high, most) {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((s) => s * power >= raw);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; i++) found.push(Number((i * step).toPrecision(10)));
  return found;
}

const spread = (points, lows) =>
  points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") + (lows ? `L${points.at(-1)[0].toFixed(1)} ${lows}L${points[0][0].toFixed(1)} ${lows}Z` : "");

// curves: [{points: [[x, y], …], color, dash, fill, mark, name, at, key, faint}]; a name stands on its curve,
// above point number `at`; key: of the term in the text; line: {at, text}, the movable line.
// x: {low, high, log, name, ticks}; y: {low, high, name, ticks}. → pixel of x, and x of a pixel
function plot(svg, { width, height, em, x, y, curves, line, end }) {
  const small = 0.85 * em;
  const left = y.ticks ? 3 * em : 0.4 * em;
  const [right, top, bottom] = [width - (end ?? 0.8) * em, (y.name ? 2.9 : 1.7) * em, height - 2.7 * em];
  const scale = x.log ? Math.log : (v) => v;
  const back = x.log ? Math.exp : (v) => v;
  const [from, to] = [scale(x.low), scale(x.high)];
  const at = (v) => left + ((right - left) * (scale(v) - from)) / (to - from);
  const of = (pixel) => back(from + ((to - from) * (pixel - left)) / (right - left));
  const up = (v) => bottom - ((bottom - top) * (v - y.low)) / (y.high - y.low);
  const parts = [`<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`];
  const text = (px, py, words, more = "") => parts.push(`<text x="${px}" y="${py}" font-size="${small}" ${more}>${words}</text>`);
  for (const v of y.ticks ?? []) {
    parts.push(`<line class="grid" x1="${left}" x2="${right}" y1="${up(v)}" y2="${up(v)}"/>`);
    text(left - 0.4 * em, up(v) + 0.3 * em, v, 'text-anchor="end" class="quiet"');
  }
  for (const v of x.ticks) {
    parts.push(`<line class="axis" x1="${at(v)}" x2="${at(v)}" y1="${bottom}" y2="${bottom + 0.25 * em}"/>`);
    text(at(v), bottom + 1.15 * em, v, 'text-anchor="middle" class="quiet"');
  }
  text((left + right) / 2, height - 0.35 * em, x.name, 'text-anchor="middle"');
  if (y.name) text(0, small, y.name);
  const names = [];
  for (const { points, color, fill, dash, mark, name, at: place, key, faint } of curves) {
    const spots = points.map(([a, b]) => [at(a), up(b)]);
    parts.push(`<g data-mark="${key ?? ""}" opacity="${faint ? 0.2 : 1}">`);
    if (name) names.push({ name, color, x: spots[place][0] + 0.5 * em, y: spots[place][1] - 0.5 * em, faint });
    if (fill) parts.push(`<path d="${spread(spots, bottom)}" fill="${color}" opacity="0.22"/>`);
    parts.push(`<path d="${spread(spots)}" fill="none" stroke="${color}" stroke-width="${0.16 * em}" stroke-dasharray="${dash ?? ""}"/>`);
    const [px, py] = spots.reduce((best, s) => (s[1] < best[1] ? s : best));
    if (mark) parts.push(`<path d="${MARKS[mark]}" fill="${color}" transform="translate(${px} ${py}) scale(${em / 17})"/>`);
    parts.push("</g>");
  }
  names.sort((a, b) => b.y - a.y).forEach((n, i) => {
    const below = names[i - 1];
    if (below && Math.abs(below.x - n.x) < 6 * em) n.y = Math.min(n.y, below.y - 1.15 * em);
    text(n.x, n.y, n.name, `class="name" style="fill: ${n.color}" opacity="${n.faint ? 0.2 : 1}"`);
  });
  const px = line ? at(line.at) : 0;
  if (line) parts.push(`<line class="handle" x1="${px}" x2="${px}" y1="${top - 0.3 * em}" y2="${bottom}" stroke-width="${(line.bold ? 0.5 : 0.2) * em}"/>`);
  const side = px < left + 5 * em ? "start" : px > right - 5 * em ? "end" : "middle";
  if (line) text(px, top - 0.6 * em, line.text, `text-anchor="${side}" class="strong"`);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.innerHTML = parts.join("");
  return of;
}

// Dragging along an SVG. moved(pixel, settled)
function draggable(svg, moved) {
  const spot = (e) => e.clientX - svg.getBoundingClientRect().left;
  svg.onpointerdown = (e) => {
    svg.setPointerCapture(e.pointerId);
    svg.held = true;
    moved(spot(e), false);
  };
  svg.onpointermove = (e) => svg.held && moved(spot(e), false);
  svg.onpointerup = svg.onpointercancel = (e) => {
    if (svg.held) moved(spot(e), true);
    svg.held = false;
  };
}

const emOf = () => parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;

// Whether a key is for the page: not for an input field, and without a modifier key.
const forPage = (e) =>
  !(e.ctrlKey || e.metaKey || e.altKey) && !e.composedPath()[0].closest?.("input:not([type=range]), textarea, select");

// The height for an element with which everything below it in `whole` still fits on the screen.
function roomFor(element, whole, em) {
  const scrolled = document.querySelector('[data-testid="stMain"]')?.scrollTop ?? 0;
  const box = whole.getBoundingClientRect();
  return window.innerHeight - (box.top + scrolled) - (box.height - element.getBoundingClientRect().height) - em;
}
