"""List every package that the app needs, with its licence: ``python -m tests.licences``.

What is listed is what is installed of ``requirements.txt`` and all that it brings along.  The exit
status is 1 where a licence is none of those that let anybody host the app.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"
# As they call themselves, shortened; all allow use, hosting and passing on.
FREE = ("mit", "bsd", "apache", "psf", "python software foundation", "isc", "mpl", "mozilla",
        "lesser general", "hpnd", "zlib", "0bsd", "unlicense", "cc0",
        "historical permission")  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9._-]+")


def needed() -> list[str]:
    """The names of all packages, in order."""
    lines = REQUIREMENTS.read_text().splitlines()
    open_names = [NAME.match(line)[0] for line in lines if NAME.match(line)]
    found: dict[str, str] = {}
    while open_names:
        name = open_names.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # For another system than this.
        if key not in found:
            found[key] = name
            open_names += [NAME.match(each)[0] for each in requirements if "extra ==" not in each]
    return [found[key] for key in sorted(found)]


def licence_of(name: str) -> str:
    """What a package says of its licence, in a line."""
    about = distribution(name).metadata
    said = about.get("License-Expression") or ""
    if not said:
        classified = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier") or []
                      if each.startswith("License :: ")]  # fmt: skip
        said = ", ".join(classified)
    if not said:
        said = (about.get("License") or "").strip().partition("\n")[0][:60]
    if not said:  # Then it is in a file that came along.
        files = [each for each in distribution(name).files or [] if each.name.startswith("LICENSE")]
        lines = files[0].read_text().split("\n") if files else []
        said = " ".join(line.strip() for line in lines[:4] if line.strip())[:60]
    return said


def main() -> int:
    """Print the list."""
    unknown = 0
    for name in needed():
        said = licence_of(name)
        free = any(word in said.lower() for word in FREE)
        unknown += not free
        print(f"{name:28} {distribution(name).version:16} {said}{'' if free else '   <- unknown'}")
    return int(unknown > 0)


if __name__ == "__main__":
    sys.exit(main())
