// Brings a run into view that was started or opened by a click: on a phone it is below the form.
const LOOK_MS = 100;
const MOST_LOOKS = 50;
let shown = null;

function isDrawn() {
  return document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === "notRunning";
}

function bringIntoView(looks) {
  if (!isDrawn() && looks < MOST_LOOKS) return setTimeout(bringIntoView, LOOK_MS, looks + 1);
  const run = document.querySelector(".st-key-training-run");
  // Beside the form it is in view already.
  if (run && run.getBoundingClientRect().top > window.innerHeight / 2) run.scrollIntoView();
}

export default function ({ data }) {
  if (shown !== null && shown !== data.opened) setTimeout(bringIntoView, LOOK_MS, 0);
  shown = data.opened;
}
