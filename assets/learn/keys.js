// Presentation remotes send Page keys; in the story they press the buttons Next and Back.
// Terms of the text and marks of the picture point at each other: both only meet here.

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
  let pointed = null;
  const term = (e) => {
    const on = e.type === "pointerover" || e.type === "focusin";
    const mark = (on && e.target.closest?.(".learn-term")?.dataset.mark) || null;
    if (mark === pointed) return;
    pointed = mark;
    document.dispatchEvent(new CustomEvent("ueo-learn-mark", { detail: mark }));
  };
  const light = (e) => {
    for (const span of document.querySelectorAll(".learn-term")) span.classList.toggle("lit", span.dataset.mark === e.detail);
  };
  const listeners = { keydown: listen, click: release, pointerover: term, focusin: term, focusout: term, "ueo-learn-point": light };
  for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener);
  };
}
