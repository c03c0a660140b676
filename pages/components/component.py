"""Components of the browser: what Streamlit sends of each, and what the browser fetches itself.

A component stands in files of one name, ``.js`` and where needed more, beside its module.
Streamlit sends its script again with each new value, so a long one lies in ``static/``, which
Streamlit serves, and the component gets a few lines that load it from there, once.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

STATIC = Path(__file__).resolve().parents[2] / "static"
FOLDERS = ("live", "viewer")
TEXT = {".css", ".html", ".js", ".wasm"}


def _version() -> str:
    """Return a hash of all files: a browser that knows older ones asks again."""
    content = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((STATIC / folder).iterdir()):
            if path.suffix in TEXT:
                content.update(path.name.encode() + path.read_bytes())
    return content.hexdigest()[:12]


VERSION = _version()


def component(file: str, html: str = "<span hidden></span>") -> Callable:
    """Return what mounts the component whose ``.js``, ``.css`` and ``.html`` stand beside ``file``.

    ``html`` is for one without an ``.html``; by default it shows nothing.
    """
    path = Path(file)
    parts = {
        suffix: path.with_suffix(f".{suffix}").read_text(encoding="utf-8")
        for suffix in ("html", "css", "js")
        if path.with_suffix(f".{suffix}").is_file()
    }
    return st.components.v2.component(f"denoise_lab_{path.stem}", **{"html": html} | parts)


def loader(script: str) -> str:
    """Return the JavaScript of a component whose ``mount`` is in a file of ``static/``.

    Where the file cannot be had, the component's trigger ``blocked`` fires; again while it is still
    there, as Streamlit forgets a trigger whose run is broken off.  The path begins at Streamlit's
    own script: the address of the page may end with the name of a page, or a slash.
    """
    return f"""
const app = document.querySelector("script[src*='static/js/']")?.src ?? document.baseURI;
const base = app.replace(/static\\/js\\/[^/]*$/, "");
const script = new URL("app/static/{script}?v={VERSION}", base).href;

export default (component) => {{
  let timers = [];
  let left = false;
  const tell = () => component.setTriggerValue("blocked", true);
  const mounted = import(script).then(({{ mount }}) => mount(component), () => {{
    if (!left) timers = [0, 2000, 6000].map((after) => setTimeout(tell, after));
  }});
  return () => {{
    left = true;
    timers.forEach(clearTimeout);
    mounted.then((leave) => leave?.());
  }};
}};
"""


def note_blocked() -> None:
    """Note that this browser gets no files of ours; a callback."""
    st.session_state.static_files_blocked = True


def is_blocked() -> bool:
    """Whether this browser has said that it gets no files of ours."""
    return st.session_state.get("static_files_blocked", False)


def joined(scripts: Sequence[str]) -> str:
    """Return these scripts as one, whose last one has the ``mount``, to be sent with a component.

    What a script fetches is left out: it must be there by other means.
    """
    text = "\n".join((STATIC / script).read_text(encoding="utf-8") for script in scripts)
    text = re.sub(r"^const [^;]*?\b(?:await|import\.meta)\b[^;]*;.*\n", "", text, flags=re.M)
    return re.sub(r"^export ", "", text, flags=re.M) + "\nexport default mount;\n"
