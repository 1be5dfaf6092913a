// A wall of cards made in Python; it tells Python which one was chosen, by mouse or keyboard.

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  const wall = root.querySelector(".wall");
  if (wall.shown !== data.html) wall.innerHTML = wall.shown = data.html; // names in it are escaped
  wall.querySelectorAll(".ueo-thumb").forEach((card, i) => {
    const image = data.images[i];
    card.tabIndex = 0;
    card.setAttribute("role", "button");
    card.classList.toggle("chosen", image === data.chosen);
    card.setAttribute("aria-pressed", image === data.chosen);
    card.onclick = () => setTriggerValue("picked", image);
    card.onkeydown = (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      card.onclick();
    };
  });
}
