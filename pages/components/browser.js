// What every page does in the browser: steps of Back, parts that failed to load, uploads that
// got lost, light on paper.

const HISTORY = Symbol.for("denoise-lab-history");
const FAILED = "Failed to fetch dynamically imported module";
const WATCH = Symbol.for("denoise-lab-failed");

// One rule for all pages: another page, section or picture is a step of Back; a change of any
// other control replaces the address.  Streamlit makes each change a step.
function ruleHistory(steps, drawings) {
  if (history[HISTORY]) {
    Object.assign(history[HISTORY], { steps, drawings });
    return;
  }
  // What a page writes before anybody has touched it is not the visitor's step.
  const rule = (history[HISTORY] = { steps, drawings, touched: false });
  const push = history.pushState.bind(history);
  const place = (search) => {
    const settings = new URLSearchParams(search);
    return JSON.stringify([
      rule.steps.map((name) => settings.get(name)),
      rule.drawings.map((name) => settings.has(name)), // Each stroke makes another drawing.
    ]);
  };
  history.pushState = (data, title, url) => {
    const next = new URL(url ?? location.href, location.href);
    if (next.pathname !== location.pathname) {
      rule.touched = false;
      return push(data, title, url);
    }
    const isStep = rule.touched && place(next.search) !== place(location.search);
    return isStep ? push(data, title, url) : history.replaceState(data, title, url);
  };
  for (const name of ["pointerdown", "keydown", "change", "paste", "drop"]) {
    document.addEventListener(name, () => (rule.touched = true), true);
  }
  window.addEventListener("popstate", () => (rule.touched = false));
}

// A lost connection leaves red boxes of Streamlit's in place of parts of the page.
function offerReload(bar) {
  const look = () => {
    const boxes = [...document.querySelectorAll('[data-testid="stAlertContainer"], .stException')];
    const failed = boxes.filter((box) => box.textContent.includes(FAILED));
    failed.forEach((box) => (box.style.display = "none"));
    if (failed.length) bar.hidden = false;
  };
  document[WATCH]?.disconnect();
  // A drag changes the page many times a second; looking can wait.
  let waiting = null;
  const later = () => (waiting ??= setTimeout(() => ((waiting = null), look()), 500));
  const watch = (document[WATCH] = new MutationObserver(later));
  watch.observe(document.body, { childList: true, subtree: true });
  look();
}

// An uploader asks the server where a file shall go.  Where a run of the page begins at that moment,
// Streamlit's server throws its answer away, and the uploader waits for it without a word: what has
// not become a chip of the uploader once the page is quiet is given to it again.
const UPLOADS = Symbol.for("denoise-lab-uploads");
const LOOK_MS = 100;
const QUIET_MS = 3000;
const MOST_TIMES = 5;

function isQuiet() {
  const { testScriptState, testConnectionState } =
    document.querySelector('[data-testid="stApp"]')?.dataset ?? {};
  return testScriptState === "notRunning" && testConnectionState === "CONNECTED";
}

function giveLostUploadsAgain() {
  if (document[UPLOADS]) return;
  document[UPLOADS] = true;
  let giving = false;

  const chipsOf = (uploader) => [...uploader.querySelectorAll('[data-testid="stFileChip"]')];

  function watch(uploader, files, times = 1) {
    const before = new Set(chipsOf(uploader));
    const names = new Set(files.map((file) => file.name));
    const refused = new Set();
    let quiet = 0;
    const looking = setInterval(() => {
      if (!uploader.isConnected) return clearInterval(looking);
      const chips = chipsOf(uploader).filter(
        (chip) =>
          !before.has(chip) &&
          names.has(chip.querySelector('[data-testid="stFileChipName"]')?.title),
      );
      const taken = chips.filter((chip) => chip.getAttribute("aria-invalid") !== "true");
      chips.filter((chip) => !taken.includes(chip)).forEach((chip) => refused.add(chip));
      if (taken.length || refused.size >= files.length) return clearInterval(looking);
      if (isQuiet()) quiet += LOOK_MS;
      if (quiet < QUIET_MS) return;
      clearInterval(looking);
      const titles = [...refused].map(
        (chip) => chip.querySelector('[data-testid="stFileChipName"]')?.title,
      );
      const lost = files.filter((file) => !titles.includes(file.name));
      const input = uploader.querySelector('input[type="file"]');
      if (times >= MOST_TIMES || !lost.length || !input) return;
      const carried = new DataTransfer();
      lost.forEach((file) => carried.items.add(file));
      giving = true;
      input.files = carried.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
      giving = false;
      watch(uploader, lost, times + 1);
    }, LOOK_MS);
  }

  const given = (event, files) => {
    const uploader = event.target?.closest?.('[data-testid="stFileUploader"]');
    if (uploader && files?.length && !giving) watch(uploader, [...files]);
  };
  document.addEventListener("change", (event) => given(event, event.target?.files), true);
  document.addEventListener("drop", (event) => given(event, event.dataTransfer?.files), true);
}

// Whether the theme is dark: charts, which are drawn, are turned round for paper.
function markDark() {
  const app = document.querySelector(".stApp");
  const [red, green, blue] = getComputedStyle(app).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255];
  document.documentElement.toggleAttribute("data-dark", Number(red) + Number(green) + Number(blue) < 384);
}

export default function ({ parentElement, data }) {
  ruleHistory(data.steps, data.drawings);
  const bar = parentElement.querySelector(".bar");
  parentElement.querySelector("button").onclick = () => location.reload();
  offerReload(bar);
  giveLostUploadsAgain();
  markDark();
}
