// Keeps in this browser how far somebody has come in each lesson, and shows a new step from its top.
const NAME = "denoise-lab-lessons";
let told = false;
let at = null;

function kept() {
  try {
    const value = JSON.parse(localStorage.getItem(NAME));
    return value && typeof value === "object" && !Array.isArray(value) ? value : {};
  } catch {
    return {};  // Storage is forbidden or damaged: progress lives as long as this page.
  }
}

export default function ({ data, setStateValue }) {
  const all = kept();
  for (const [lesson, step] of Object.entries(data.reached)) {
    if (!(all[lesson] >= step)) all[lesson] = step;
  }
  // Whoever has only arrived is still where they were the last time.
  if (data.at !== data.start || !all.at) all.at = data.at;
  const text = JSON.stringify(all);
  try {
    localStorage.setItem(NAME, text);
  } catch {}
  if (!told) setStateValue("kept", text);  // From then on the server knows.
  told = true;
  if (at !== null && at !== data.at) {
    const step = document.querySelector(".st-key-learn-step");
    const covered = step && parseFloat(getComputedStyle(step).scrollMarginTop); // By the header.
    if (step && step.getBoundingClientRect().top < covered) step.scrollIntoView();
  }
  at = data.at;
}
