// Keeps the thumbnails of a wall in the window, so that its updates need not carry them.

export default function ({ data }) {
  (window.ueoPictures ??= {})[data.wall] = data.pictures;
  window.dispatchEvent(new CustomEvent("ueo-pictures", { detail: data.wall }));
}
