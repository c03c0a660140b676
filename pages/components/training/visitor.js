// A random token, made once and kept in this browser; it is not a cookie and goes to no one else.
const NAME = "denoise-lab-visitor";
let token = null;

function kept() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;  // Storage is forbidden: the token lives as long as this page.
  }
}

function made() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export default function ({ setStateValue }) {
  token ??= kept() ?? made();
  try {
    localStorage.setItem(NAME, token);
  } catch {}
  setStateValue("token", token);
}
