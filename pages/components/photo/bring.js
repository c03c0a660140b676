// Brings pictures to the page's uploader: pasted or dropped anywhere on the page.  Says in words
// what the uploader would refuse with a sign alone, and whether this tab had pictures before.

const WORD = "denoise-lab-tab";
const HELD = "denoise-lab-pictures";
const FORGETFUL = "forgetful"; // In place of a server's word, of one that forgot the tab.
const LISTENING = Symbol.for("denoise-lab-bring");

function kept(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null; // Storage is forbidden: the tab is known as long as this page.
  }
}

function keep(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {}
}

function made() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

let word = null;
let introduced = false; // The server has answered since the page was loaded or connected again.
let givings = 0;
let saidTooLarge = [];
const takenBefore = new Set();
const toEmpty = []; // The names of chips, and whether the uploader refused them.

const UPLOADER = ".st-key-photo-uploader";
const uploader = () => document.querySelector(`${UPLOADER} input[type="file"]`);

function megabytes(bytes) {
  return (bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 });
}

// What the server has taken is in the visitor's own list, and leaves the uploader: once the page
// is drawn, as a browser that asks for another run before that has not heard what this one set.
// Other files may have come since, and are on their way.
function empty() {
  const app = document.querySelector('[data-testid="stApp"]');
  if (app?.dataset.testScriptState !== "notRunning") {
    setTimeout(empty, 200);
    return;
  }
  for (const [name, refused] of toEmpty.splice(0)) {
    // Those that came first stand first.
    const chip = [...document.querySelectorAll(`${UPLOADER} [data-testid="stFileChip"]`)].find(
      (each) =>
        each.querySelector('[data-testid="stFileChipName"]')?.title === name &&
        !each.querySelector('[data-testid="stFileChipIconSpinner"]') &&
        (each.getAttribute("aria-invalid") === "true") === refused,
    );
    chip?.querySelector("button")?.click();
  }
}

function leave(names, refused) {
  if (!names.length) return;
  if (!toEmpty.length) setTimeout(empty, 200);
  toEmpty.push(...names.map((name) => [name, refused]));
}

// The server knows this tab by a word, and finds its pictures again after a reload.  It says by its
// own word whether it is the same, and whether it knew the tab.
function introduce({ setTriggerValue, setStateValue, data }) {
  word ??= kept(WORD) ?? made();
  keep(WORD, word);
  setStateValue("word", word);
  const first = data.known && !introduced;
  introduced = data.known;
  if (!data.known) return;
  const held = JSON.parse(kept(HELD) ?? "null");
  if (first && held?.server === data.server && !data.found) {
    held.server = FORGETFUL;
    keep(HELD, JSON.stringify(held));
  }
  const lost = held?.count && held.server !== data.server;
  // Said again after a reload, until there are pictures again.
  if (lost && !data.told) setTriggerValue("gone", [held.count, held.server !== FORGETFUL]);
  if (!lost || (data.count && data.told)) {
    keep(HELD, JSON.stringify({ count: data.count, server: data.server }));
  }
}

const refusal = (file, limit) =>
  `${file.name}: This file has ${megabytes(file.size)} MB, and at most ${megabytes(limit)} can be ` +
  "opened here. Make the picture smaller, or save it as JPEG.";

// Give what is in the clipboard; where that is not possible, a line says so.
async function paste(give, line) {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith("image/"));
      if (!type) continue;
      const ending = type.split("/")[1].split("+")[0];
      return give([new File([await item.getType(type)], `pasted.${ending}`, { type })]);
    }
    line.textContent = "There is no picture in the clipboard.";
  } catch {
    line.textContent = "The browser does not allow it; press Ctrl+V instead.";
  }
}

// Listen to the document; there is one set of listeners, the latest.  Returns what ends it.
function listen(listeners) {
  document[LISTENING]?.abort();
  const listening = (document[LISTENING] = new AbortController());
  const options = { capture: true, signal: listening.signal };
  for (const [name, listener] of Object.entries(listeners)) {
    document.addEventListener(name, listener, options);
  }
  return () => listening.abort();
}

// Each run of the page comes here again.
export default function (component) {
  const { parentElement, setStateValue, data } = component;
  const button = parentElement.querySelector("button");
  const line = parentElement.querySelector("span");
  button.hidden = !data.shown;
  const left = data.taken.filter(([id]) => !takenBefore.has(id));
  left.forEach(([id]) => takenBefore.add(id));
  leave(
    left.map(([, name]) => name),
    false,
  );
  introduce(component);

  const sayTooLarge = (files) => {
    const large = files.filter((file) => file.size > data.limit);
    if (!large.length && !saidTooLarge.length) return;
    saidTooLarge = large;
    // A state, as what is said once is not heard where the next files break off the run.
    setStateValue("too_large", [
      `${++givings}`,
      ...large.map((file) => refusal(file, data.limit)),
    ]);
    leave(
      large.map((file) => file.name),
      true,
    );
  };

  // What is too large is said here, and not sent; the rest goes the way of all uploads.
  const give = (files) => {
    sayTooLarge(files);
    const fit = files.filter((file) => file.size <= data.limit);
    const input = uploader();
    if (!fit.length || !input) return;
    line.textContent = "";
    const carried = new DataTransfer();
    fit.forEach((file) => carried.items.add(file));
    input.files = carried.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const onPaste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    give(files);
  };

  const inUploader = (event) =>
    event.composedPath().some((each) => each.dataset?.testid === "stFileUploaderDropzone");

  const onDragOver = (event) => {
    if ([...(event.dataTransfer?.types ?? [])].includes("Files")) event.preventDefault();
  };

  const onDrop = (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    if (inUploader(event)) {
      sayTooLarge(files);
      return;
    }
    event.preventDefault(); // A browser would leave the page and show the file.
    give(files);
  };

  const onChange = (event) => {
    if (event.isTrusted && event.target === uploader()) sayTooLarge([...event.target.files]);
  };

  button.onclick = () => paste(give, line);
  return listen({ paste: onPaste, dragover: onDragOver, drop: onDrop, change: onChange });
}
