// Marks and colors of the triangle: every color has a shape of its own.

const SHAPES = ["circle", "square", "up", "diamond"]; // of class A, B, C and unknown images
const COLORS = {
  light: ["#0072B2", "#00805D", "#B0508A", "#D55E00"],
  dark: ["#56B4E9", "#2FC79B", "#E39CC4", "#FF8A3D"],
};

function trace(pen, shape, x, y, r) {
  if (shape === "circle") pen.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === "square") pen.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
  else {
    const corners = shape === "up" ? [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]] : [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]];
    corners.forEach(([dx, dy]) => pen.lineTo(x + dx * r, y + dy * r));
    pen.closePath();
  }
}

function star(pen, x, y, r) {
  for (let i = 0; i < 10; i++) {
    const angle = (Math.PI * i) / 5 - Math.PI / 2;
    const size = i % 2 ? 0.45 * r : r;
    pen.lineTo(x + size * Math.cos(angle), y + size * Math.sin(angle));
  }
  pen.closePath();
}

function svgMark(shape, color) {
  const inside = {
    circle: '<circle cx="8" cy="8" r="6"/>',
    square: '<rect x="2.5" y="2.5" width="11" height="11"/>',
    up: '<path d="M8 1 L15 14 L1 14 Z"/>',
    diamond: '<path d="M8 0 L16 8 L8 16 L0 8 Z"/>',
  }[shape];
  return `<svg width="0.95em" height="0.95em" viewBox="0 0 16 16" fill="${color}" aria-hidden="true">${inside}</svg>`;
}

function brightness(color) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = color;
  const hex = pen.fillStyle;
  const parts = hex.startsWith("#")
    ? [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16))
    : hex.match(/[\d.]+/g).map(Number);
  return (parts[0] + parts[1] + parts[2]) / 3;
}

const isDark = (host) =>
  brightness(getComputedStyle(host).getPropertyValue("--st-background-color").trim() || "#fff") < 128;

// Sets the color scheme of sliders and checkboxes to that of the page; a dark page needs a light accent
// color, or the browser draws a white track. → whether the page is dark
function applyScheme(host) {
  const dark = isDark(host);
  host.style.colorScheme = dark ? "dark" : "light";
  host.style.setProperty("--accent", dark ? "#8CCBF5" : "var(--st-primary-color)");
  return dark;
}

// Keeps a number and its unit on one line, and two numbers with an arrow between them; see
// _write_text in ui/learn/story.py.
const keepTogether = (words) => words.replace(/ (?=%|kB|→)|(?<=→) /g, "\u00a0");

// Tells the text which mark the viewer points at in the picture, null for none; see keys.js.
const point = (mark) => document.dispatchEvent(new CustomEvent("ueo-learn-point", { detail: mark }));
