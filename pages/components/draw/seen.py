"""Whether a place of a page is on the screen: what nobody sees need not be worked out."""

from pages.components.component import component

_mount = component(__file__, html="<div></div>")


def seen(key: str) -> bool:
    """Return whether the visitor has this place on the screen, or has scrolled past it.

    It shows nothing.  Scrolling to it, or back up, runs the fragment around it again.
    """
    return bool(_mount(key=key, on_seen_change=lambda: None).seen)
