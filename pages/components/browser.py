"""What every page does in the browser.

Steps of Back, parts that failed to load, uploads that got lost, light on paper.
"""

from pages.components.component import component

# By their names in links: the page's section and picture.  Another one is a step of Back; other
# settings replace the address.  Of drawings it counts whether there is one.
STEPS = (
    *("source", "start", "sample"),
    *("photo_source", "photo_sample", "photo_shown"),
    *("inside", "inside_digit"),
    *("compare", "trust_digit"),
    "run",
)
DRAWINGS = ("drawing", "inside_drawing", "trust_drawing")

_mount = component(__file__)


def rule_browser() -> None:
    """Lay the rules down; the first element of every page."""
    _mount(key="browser", data={"steps": STEPS, "drawings": DRAWINGS})
