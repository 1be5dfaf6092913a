// A grid of cards made in Python; it reports the one selected, by mouse or keyboard.

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  const grid = root.querySelector(".grid");
  if (grid.shown !== data.html) grid.innerHTML = grid.shown = data.html; // names in it are escaped
  grid.querySelectorAll(".ueo-thumb").forEach((card, i) => {
    const image = data.images[i];
    card.tabIndex = 0;
    card.setAttribute("role", "button");
    card.classList.toggle("selected", image === data.selected);
    card.setAttribute("aria-pressed", image === data.selected);
    card.onclick = () => setTriggerValue("selected", image);
    card.onkeydown = (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      card.onclick();
    };
  });
}
