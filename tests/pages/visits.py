"""Pages opened without a browser, and what they say."""

from pathlib import Path

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
