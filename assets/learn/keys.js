// Presenters' remotes send Page keys; in the story these press its two buttons.

const BUTTONS = { PageDown: ".st-key-learn-next button", PageUp: ".st-key-learn-back button" };

export default function () {
  const listen = (e) => {
    const button = BUTTONS[e.key] && document.querySelector(BUTTONS[e.key]);
    if (!button || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.composedPath()[0].closest?.("input, textarea, select, [role=slider]")) return;
    e.preventDefault();
    if (!e.repeat) button.click();
  };
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}
