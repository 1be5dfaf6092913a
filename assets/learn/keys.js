// Presenters' remotes send Page keys; the story's buttons listen to the arrows.

const ARROWS = { PageDown: "ArrowRight", PageUp: "ArrowLeft" };
let listening = null;

export default function () {
  if (!listening) {
    listening = (e) => {
      const key = ARROWS[e.key];
      const target = e.composedPath()[0];
      if (!key || e.ctrlKey || e.metaKey || target.closest?.("input, textarea, select, [role=slider]")) return;
      e.preventDefault();
      document.dispatchEvent(new KeyboardEvent("keydown", { key, code: key, bubbles: true }));
      document.dispatchEvent(new KeyboardEvent("keyup", { key, code: key, bubbles: true }));
    };
    document.addEventListener("keydown", listening);
  }
  return () => {
    document.removeEventListener("keydown", listening);
    listening = null;
  };
}
