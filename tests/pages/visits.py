"""Pages opened without a browser, and what they say."""

import weakref
from pathlib import Path
from types import ModuleType

import pytest
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests
from streamlit.testing.v1 import AppTest

PAGES = Path(__file__).parents[2] / "pages"


def page_of(name: str, *, seconds: float = 60, **link: str) -> AppTest:
    """Return a page with these settings in its link, which has so long; it has not run yet."""
    page = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=seconds)
    page.query_params.update(link)
    return page


def said(page: AppTest, *more: str) -> str:
    """Return everything that the page says in boxes, and in ``more`` kinds of elements."""
    kinds = ("warning", "error", "info", *more)
    return "\n".join(element.value for kind in kinds for element in page.get(kind))


def noted_reads(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[weakref.ref]:
    """Return a list that weakly refers to the pixels of each photo that ``module`` opens."""
    opened, real = list[weakref.ref](), module.read_photo

    def read(*given, **more):
        photo = real(*given, **more)
        opened.append(weakref.ref(photo.best))
        return photo

    monkeypatch.setattr(module, "read_photo", read)
    return opened


class Breaker:
    """Breaks a run off where it asks for the session the ``left``-th time from now; never at 0.

    As a server does it when the browser sends what changed meanwhile.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        passed = ScriptRequests.on_scriptrunner_yield

        def stop_in_time(requests: ScriptRequests):
            self.left -= 1
            if self.left == 0:
                requests.request_stop()
            return passed(requests)

        monkeypatch.setattr(ScriptRequests, "on_scriptrunner_yield", stop_in_time)
