"""Scripts and styles that the browser fetches once, instead of with every change of a component.

Streamlit sends the script of a component again with each new value.  So a component gets a few
lines that load a file of ``static/``, which Streamlit serves.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

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


def loader(script: str) -> str:
    """Return the JavaScript of a component whose ``mount`` is in a file of ``static/``.

    Where the file cannot be had, the component's trigger ``blocked`` fires.  The path begins at
    Streamlit's own script: the address of the page may end with the name of a page, or a slash.
    """
    return f"""
const app = document.querySelector("script[src*='static/js/']")?.src ?? document.baseURI;
const base = app.replace(/static\\/js\\/[^/]*$/, "");
const script = new URL("app/static/{script}?v={VERSION}", base).href;

export default (component) => {{
  const mounted = import(script).then(
    ({{ mount }}) => mount(component),
    () => component.setTriggerValue("blocked", true),
  );
  return () => mounted.then((leave) => leave?.());
}};
"""


def joined(scripts: Sequence[str]) -> str:
    """Return these scripts as one, whose last one has the ``mount``, to be sent with a component.

    What a script fetches is left out: it must be there by other means.
    """
    text = "\n".join((STATIC / script).read_text(encoding="utf-8") for script in scripts)
    text = re.sub(r"^const [^;]*?\b(?:await|import\.meta)\b[^;]*;.*\n", "", text, flags=re.M)
    return re.sub(r"^export ", "", text, flags=re.M) + "\nexport default mount;\n"
