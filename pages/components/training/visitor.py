"""Who is looking: a token that this browser keeps, so that a reload finds one's own runs."""

import streamlit as st

_mount = st.components.v2.component(
    "denoise_lab_visitor",
    html="<span hidden></span>",
    js="""
// A random token, made once and kept in this browser; it is no cookie and goes to no one else.
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
""",
)


def visitor_token() -> str | None:
    """Return this browser's token; None in the first instant, before the browser has said it."""
    # Mounted at every run: an element that goes away moves all below it, and what moves is
    # made anew, with every open box closed again.
    token = _mount(key="visitor", on_token_change=lambda: None).token
    if token and "visitor_token" not in st.session_state:
        st.session_state.visitor_token = token
    return st.session_state.get("visitor_token")
