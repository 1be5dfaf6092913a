// Eight drawings, each a switch: does it belong? Drawn by Python, ticked here, told back.

const told = new WeakMap();

export default function (component) {
  const { parentElement: root, data, setStateValue } = component;
  const grid = root.querySelector(".cards");
  const before = told.get(root);
  // Python's ticks count when it chose them, not when it repeats what was told.
  let ticks = before && before.asked === data.asked ? before.ticks : data.ticks;
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
    told.set(root, { asked: data.asked, ticks });
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
  if (data.guessing) document.addEventListener("keydown", key);
  return () => document.removeEventListener("keydown", key);
}
