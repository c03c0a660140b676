// What every page does in the browser: steps of Back, parts that failed to load, light on paper.

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
  markDark();
}
