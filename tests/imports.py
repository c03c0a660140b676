"""Import every module of ours and open every page: ``python -m tests.imports``.

It needs what the app needs and no test tools, and serves as the check on systems where the tests do
not run.  Training by a page needs the file locks of Linux and macOS, so on Windows what imports
them is left out.
"""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("imaging", "models", "train")  # What pages have in common needs a page around it.


def modules() -> Iterator[str]:
    """The dotted names of the modules, but not of programs."""
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            names = path.relative_to(ROOT).with_suffix("").parts
            if names[-1] != "__main__":
                yield ".".join(names).removesuffix(".__init__")


def problem_of_module(name: str) -> str:
    """Why a module cannot be imported, empty where it can be."""
    try:
        importlib.import_module(name)
    except Exception as problem:  # Whatever it is, it is what is looked for.
        return f"{type(problem).__name__}: {problem}"
    return ""


def problem_of_page(path: Path) -> str:
    """What a page shows in place of itself, empty where it is fine."""
    page = AppTest.from_file(str(path), default_timeout=120).run()
    return "; ".join(each.message for each in page.exception)


def main() -> int:
    """Return 1 where something does not work."""
    problems = {name: problem_of_module(name) for name in modules()}
    problems |= {path.name: problem_of_page(path) for path in sorted((ROOT / "pages").glob("*.py"))}
    failed = {name: problem for name, problem in problems.items() if problem}
    if sys.platform == "win32":
        failed = {name: problem for name, problem in failed.items() if "fcntl" not in problem}
    for name, problem in failed.items():
        print(f"{name}: {problem}")
    print(f"{len(problems) - len(failed)} of {len(problems)} modules and pages work here")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
