// A histogram with a threshold that can be dragged or moved by the arrow keys; its last position is
// sent to Python. While it moves, the number of images below it comes from counts that Python sent.

const HEIGHT = 300, LEFT = 44, RIGHT = 14, TOP = 56, BOTTOM = 46;

function make(tag, attributes = {}, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// Round values of an axis, about one every `apart` pixels.
function ticks(low, high, pixels, apart) {
  const rough = ((high - low) * apart) / pixels, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((k) => k * power >= rough);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push([k * step, (k * step).toFixed(decimals)]);
  return found;
}

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  const svg = root.querySelector("svg");
  const { edges, groups, low, step, below, below_now } = data;
  const high = edges.at(-1), last = below.length - 1;
  let width = svg.clientWidth || 600, bounds = svg.getBoundingClientRect(), later = 0;
  // While it is dragged, Python's value is ignored.
  const start = Math.min(last, Math.max(0, (data.at - low) / step));
  let at = root.held ?? start;

  const x = (value) => LEFT + ((value - edges[0]) / (high - edges[0])) * (width - LEFT - RIGHT);
  // Until it is moved, value and count are Python's, which may lie between two positions.
  const exact = () => root.held === undefined && at === start;
  const value = () => (exact() ? data.at : low + at * step);
  const count = () => (exact() ? below_now : below[Math.ceil(at - 1e-9)]);
  const stacked = edges.slice(1).map((_, i) => groups.reduce((sum, g) => sum + g.counts[i], 0));
  const most = Math.max(1, ...stacked) * 1.05;
  const y = (count) => HEIGHT - BOTTOM - (count / most) * (HEIGHT - BOTTOM - TOP);
  let handle, label;

  function draw() {
    width = svg.clientWidth || width;
    svg.replaceChildren();
    const stripes = make("pattern", { id: "stripes", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    stripes.append(make("rect", { width: 6, height: 6, class: "striped" }), make("rect", { width: 2, height: 6, class: "stripe" }));
    svg.append(stripes);
    for (const [count] of ticks(0, most, HEIGHT - BOTTOM - TOP, 44)) {
      if (!Number.isInteger(count)) continue;
      svg.append(make("line", { x1: LEFT, x2: width - RIGHT, y1: y(count), y2: y(count), class: "grid" }));
      svg.append(make("text", { x: LEFT - 8, y: y(count) + 4, "text-anchor": "end" }, String(count)));
    }
    for (const [score, text] of ticks(edges[0], high, width - LEFT - RIGHT, 60))
      svg.append(make("text", { x: x(score), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, text));
    svg.append(make("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, data.name));
    svg.append(make("text", { x: 0, y: TOP - 8 }, "images"));
    edges.slice(1).forEach((right, i) => {
      let base = 0;
      for (const g of groups) {
        const tall = y(base) - y(base + g.counts[i]);
        base += g.counts[i];
        if (tall)
          svg.append(make("rect", { x: x(edges[i]) + 0.5, y: y(base), width: Math.max(1, x(right) - x(edges[i]) - 1), height: tall, fill: g.striped ? "url(#stripes)" : g.color }));
      }
    });
    let place = LEFT;
    for (const g of groups) {
      const text = make("text", { x: place + 24, y: 12 }, g.name);
      svg.append(make("rect", { x: place, y: 3, width: 18, height: 10, fill: g.striped ? "url(#stripes)" : g.color }), text);
      place += 44 + text.getComputedTextLength();
    }
    label = make("text", { class: "label", y: 34, "text-anchor": "middle" });
    handle = make("g", { class: "handle", tabindex: 0, role: "slider", "aria-label": data.alt, "aria-valuemin": low, "aria-valuemax": low + last * step });
    handle.append(
      make("rect", { x: -14, y: TOP - 18, width: 28, height: HEIGHT - BOTTOM - TOP + 18, class: "grip" }),
      make("line", { y1: TOP - 6, y2: HEIGHT - BOTTOM, class: "mark" }),
      make("path", { d: `M-9,${TOP - 16} h18 v8 l-9,9 l-9,-9 z`, class: "knob" }),
    );
    svg.append(label, handle);
    move(at);
  }

  function move(to) {
    at = Math.min(last, Math.max(0, to));
    const left = Math.min(width - RIGHT, Math.max(LEFT, x(value())));
    handle.setAttribute("transform", `translate(${left},0)`);
    label.textContent = `threshold ${value().toFixed(data.digits)} · ${count().toLocaleString("en")} of ${data.n.toLocaleString("en")} below`;
    const half = label.getComputedTextLength() / 2;
    label.setAttribute("x", Math.min(width - RIGHT - half, Math.max(LEFT + half, left)));
    handle.setAttribute("aria-valuenow", value());
    handle.setAttribute("aria-valuetext", label.textContent);
  }

  const report = () => setTriggerValue("moved", value());
  const under = (event) =>
    Math.round((edges[0] + ((event.clientX - bounds.left - LEFT) / (width - LEFT - RIGHT)) * (high - edges[0]) - low) / step);

  svg.onpointerdown = (event) => {
    if (event.button) return;
    event.preventDefault();
    bounds = svg.getBoundingClientRect();
    svg.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    move((root.held = under(event)));
  };
  svg.onpointermove = (event) => {
    if (root.held === undefined) return;
    move((root.held = under(event)));
  };
  svg.onpointerup = svg.onpointercancel = () => {
    if (root.held === undefined) return;
    root.held = undefined;
    report();
  };
  svg.onkeydown = (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -20, PageUp: 20, Home: -last, End: last }[event.key];
    if (!by) return;
    event.preventDefault();
    move(Math.round(at) + by);
    clearTimeout(later);
    later = setTimeout(report, 300);
  };

  const focused = root.querySelector(".handle:focus"); // redrawn under the keys of its user
  draw();
  if (focused) handle.focus({ preventScroll: true });
  root.sight?.disconnect();
  root.sight = new ResizeObserver(() => svg.clientWidth !== width && draw());
  root.sight.observe(svg);
  return () => root.sight.disconnect();
}
