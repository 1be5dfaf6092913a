// Eight drawings, made in Python. In one scene each is a switch that marks it as unknown; the
// marks are sent to Python.

const reported = new WeakMap();

export default function (component) {
  const { parentElement: root, data, setStateValue } = component;
  const grid = root.querySelector(".cards");
  const before = reported.get(root);
  // Python's marks are used when Python has changed them, not when it repeats what was reported.
  let ticks = before && before.request === data.request ? before.ticks : data.ticks;
  const cards = data.cards.map((html, place) => {
    const card = document.createElement(data.guessing ? "button" : "div");
    card.className = "card";
    card.innerHTML = html;
    if (data.guessing) {
      card.type = "button";
      card.onclick = () => flip(place);
    }
    return card;
  });
  const show = () => {
    reported.set(root, { request: data.request, ticks });
    if (data.guessing) cards.forEach((c, i) => c.setAttribute("aria-pressed", Boolean((ticks >> i) & 1)));
  };
  const flip = (place) => {
    ticks ^= 1 << place;
    show();
    setStateValue("now", { id: Date.now() + Math.random(), ticks });
  };
  const key = (e) => {
    const place = "12345678".indexOf(e.key);
    if (place < 0 || e.ctrlKey || e.metaKey || e.altKey || e.composedPath()[0].closest?.("input, textarea, select")) return;
    flip(place);
  };
  const focused = [...grid.children].indexOf(root.activeElement);
  grid.replaceChildren(...cards);
  if (focused >= 0) cards[focused].focus();
  show();
  // While presenting, both rows together take the rest of the screen.
  grid.classList.toggle("large", data.large);
  const fit = () => {
    const rest = window.innerHeight - grid.getBoundingClientRect().top - window.scrollY;
    const gap = parseFloat(getComputedStyle(grid).rowGap) || 0;
    grid.style.setProperty("--tall", data.large ? `${Math.max(160, (rest - 2 * gap) / 2)}px` : "auto");
  };
  const watch = new ResizeObserver(fit);
  const text = document.querySelector(".st-key-learn-text");
  for (const box of [document.body, text]) if (box) watch.observe(box);
  fit();
  if (data.guessing) document.addEventListener("keydown", key);
  return () => {
    document.removeEventListener("keydown", key);
    watch.disconnect();
  };
}
