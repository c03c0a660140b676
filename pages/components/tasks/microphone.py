"""Says in the browser why nothing can be recorded, where it does not let the page."""

from pages.components.component import component

_mount = component(__file__)


def show_microphone_refused() -> None:
    """Draw a sentence with a way out where there is no microphone, or it may not be used."""
    _mount(key="microphone")
