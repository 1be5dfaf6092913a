// Many chosen files go up as one zip, packed here, in the browser.
//
// The file uploader sends every file by a request of its own and draws its list anew for each:
// minutes for two thousand photos, of which Chromium refuses those beyond some 1,400 requests at
// once, and the server hears of none of the refused. A dropped folder also keeps its subfolders
// this way. Few files, and whatever this script does not know, are left to the uploader.

const FEW = 250; // files that the uploader takes by itself
const MOST = 1000; // files that it takes when a zip of them would be too large
const ZIP_FILES = 65000; // a plain zip's list holds 65,535

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// The fields that a member's header and its entry in the zip's list have in common (26 bytes).
function fields(view, at, member) {
  const when = new Date(member.file.lastModified);
  const day = (Math.max(0, when.getFullYear() - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate();
  const time = (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1);
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, 0x0800, true); // names are UTF-8
  view.setUint16(at + 6, time, true); // at + 4: stored, not compressed
  view.setUint16(at + 8, day, true);
  view.setUint32(at + 10, member.crc, true);
  view.setUint32(at + 14, member.size, true);
  view.setUint32(at + 18, member.size, true);
  view.setUint16(at + 22, member.name.length, true);
}

function record(signature, size, fill) {
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(0, signature, true);
  fill(view);
  return new Uint8Array(view.buffer);
}

// files: [{path, file}] -> a zip as a File; the bytes of the files are not held, only passed over.
async function zipped(files, title, tell) {
  const parts = [], list = [], text = new TextEncoder();
  let offset = 0;
  for (const [i, { path, file }] of files.entries()) {
    if (!tell(i)) return null;
    const member = { file, name: text.encode(path), crc: 0, size: 0 };
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      member.crc = crc32(bytes);
      member.size = bytes.length;
    } catch {
      // What the browser may not read goes as an empty file: the intake's report names it.
    }
    parts.push(record(0x04034b50, 30, (v) => fields(v, 4, member)), member.name);
    if (member.size) parts.push(file);
    const at = offset;
    list.push(
      record(0x02014b50, 46, (v) => {
        v.setUint16(4, 20, true);
        fields(v, 6, member);
        v.setUint32(42, at, true);
      }),
      member.name,
    );
    offset += 30 + member.name.length + member.size;
  }
  const length = list.reduce((sum, part) => sum + part.length, 0);
  const end = record(0x06054b50, 22, (v) => {
    v.setUint16(8, files.length, true);
    v.setUint16(10, files.length, true);
    v.setUint32(12, length, true);
    v.setUint32(16, offset, true);
  });
  return new File([...parts, ...list, end], `${title}.zip`, { type: "application/zip" });
}

// Every file below what was dropped. -> [{path, file}]
async function walked(entries) {
  const found = [], waiting = [...entries];
  while (waiting.length) {
    const entry = waiting.shift();
    if (entry.isFile) {
      const file = await new Promise((done) => entry.file(done, () => done(null)));
      found.push({ path: entry.fullPath.slice(1), file: file ?? new File([], entry.name) });
      continue;
    }
    const reader = entry.createReader();
    for (;;) {
      // A browser hands out a folder a hundred entries at a time, and ends with none.
      const some = await new Promise((done) => reader.readEntries(done, () => done([])));
      if (!some.length) break;
      waiting.push(...some);
    }
  }
  return found;
}

const number = (n) => Math.round(n).toLocaleString("en");
const total = (files) => files.reduce((sum, f) => sum + f.size, 0);

// The one folder that holds all files is the title, and would look like a class if it stayed.
function titled(files) {
  const tops = new Set(files.map((f) => f.path.split("/")[0]));
  if (tops.size > 1 || !files.every((f) => f.path.includes("/"))) return ["upload", files];
  const [top] = tops;
  return [top, files.map((f) => ({ ...f, path: f.path.slice(top.length + 1) }))];
}

// What all mounts of this script share: it listens once, for every uploader of the window, and
// before the first of them is drawn. boxes: where it may say how far it is.
const shared = (window.ueoPack ??= { bytes: 0, boxes: new Set(), listening: false });
const hostOf = (box) => box.getRootNode().host ?? box;

// A member's two headers take some 300 bytes.
const fits = (files) => files.length <= ZIP_FILES && total(files) + 300 * files.length < shared.bytes;

// Whether it is an uploader's input for more than one file.
const takesMany = (input) =>
  input instanceof HTMLInputElement && (input.multiple || input.webkitdirectory) && input.closest('[data-testid="stFileUploader"]');

// The box that is nearest to the uploader.
function boxOf(input) {
  for (let node = input; node; node = node.parentElement)
    for (const box of shared.boxes) if (node.contains(hostOf(box))) return box;
}

async function pack(input, files) {
  const box = boxOf(input), stop = box.querySelector("button");
  const say = (text) => {
    box.querySelector(".says").textContent = text;
    box.querySelector(".box").hidden = !text;
  };
  const loose = files.map((f) => f.file);
  if (!fits(loose))
    return say(
      `${number(files.length)} files of ${number(total(loose) / 1e6)} MB: too much for one upload ` +
        `(${number(ZIP_FILES)} files, ${number(shared.bytes / 1e6)} MB); take them in parts, or from a path on this machine.`,
    );
  const [title, inside] = titled(files), began = Date.now();
  let cancelled = false, last = 0;
  stop.hidden = false;
  stop.onclick = () => (cancelled = true);
  const zip = await zipped(inside, title, (i) => {
    const now = Date.now();
    if (now - last > 200) {
      last = now;
      const left = i ? `, about ${Math.ceil((((now - began) / i) * (files.length - i)) / 1000)} s left` : "";
      say(`Packing ${number(i)} of ${number(files.length)} files${left}`);
    }
    return !cancelled;
  });
  stop.hidden = true;
  say("");
  if (!zip) return;
  const transfer = new DataTransfer();
  transfer.items.add(zip);
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function taken(event) {
  event.stopPropagation();
  event.preventDefault();
}

function changed(event) {
  const input = event.target;
  if (!takesMany(input)) return;
  const files = [...input.files];
  if (files.length <= FEW || (files.length <= MOST && !fits(files))) return;
  if (files.some((f) => f.name.toLowerCase().endsWith(".zip"))) return; // no zip within a zip
  taken(event);
  pack(input, files.map((file) => ({ path: file.webkitRelativePath || file.name, file })));
  input.value = ""; // so that the same choice can be made again
}

function dropped(event) {
  const zone = event.target.closest?.('[data-testid="stFileUploaderDropzone"]');
  const input = zone?.querySelector('input[type="file"]');
  if (!takesMany(input)) return;
  const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length <= FEW && !entries.some((e) => e.isDirectory)) return;
  taken(event);
  event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // its "drop here" goes
  walked(entries).then((files) => pack(input, files));
}

export default function ({ parentElement: root, data }) {
  shared.bytes = data.bytes;
  shared.boxes.add(root);
  if (!shared.listening) {
    document.addEventListener("change", changed, true);
    document.addEventListener("drop", dropped, true);
    shared.listening = true;
  }
  return () => shared.boxes.delete(root);
}
