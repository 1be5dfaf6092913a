// Presentation remotes send Page keys; in the story they press the buttons Next and Back.

const BUTTONS = { PageDown: ".st-key-learn-next button", PageUp: ".st-key-learn-back button" };

export default function () {
  const listen = (e) => {
    const button = BUTTONS[e.key] && document.querySelector(BUTTONS[e.key]);
    if (!button || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.composedPath()[0].closest?.("input, textarea, select, [role=slider]")) return;
    e.preventDefault();
    if (!e.repeat) button.click();
  };
  // A clicked button would keep the focus and take the Space key, which plays.
  const release = (e) => {
    const button = e.composedPath().find((n) => n.matches?.(".stButton button, .triangle button"));
    if (button && e.detail) button.blur();
  };
  document.addEventListener("keydown", listen);
  document.addEventListener("click", release);
  return () => {
    document.removeEventListener("keydown", listen);
    document.removeEventListener("click", release);
  };
}
