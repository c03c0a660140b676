"""What README, CONTRIBUTING and the pages in docs say is there is there, and runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + [
    path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """The blocks of code of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def commands() -> list[tuple[str, str]]:
    """Every command of the pages, without comments."""
    lines = [(page, line) for page in PAGES for block in blocks(page) for line in block.split("\n")]
    found = [(page, line.split(" #")[0].strip()) for page, line in lines]
    return [(page, line) for page, line in found if re.match(r"(make|python -m) ", line)]


def test_the_readme_can_be_read_in_two_minutes():
    assert len(README.encode()) < 7_168


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:imaging|models|pages|train|tests|static|docs)/[\w./-]*)`", text):
        if not name.startswith("train/runs"):
            assert (ROOT / name).exists(), name


def test_the_tree_has_every_folder_and_no_other():
    tree = next(block for block in blocks("README.md") if block.startswith("app.py"))
    said = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("needs git to know which folders belong to the project")
    folders = {name.split("/")[0] for name in tracked if "/" in name}
    assert said == {name for name in folders if not name.startswith(".")} | {"app.py"}


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {line.split()[1] for _, line in commands() if line.startswith("make")}
    assert {"run", "test", "check"} <= asked
    assert asked <= targets


MODULES = {"models", "train", "tests.benchmarks", "pip"}


def test_every_python_command_is_known():
    for page, line in commands():
        if line.startswith("python"):
            module, *rest = shlex.split(line)[2:]
            assert module in MODULES, f"{page}: {line}"
            assert rest, f"{page}: {line}"


def test_every_subcommand_and_option_is_in_its_help():
    for module in ("models", "train"):
        asked = {
            tuple(shlex.split(line)[3:])
            for _, line in commands()
            if line.startswith(f"python -m {module} ")
        }
        for name in {words[0] for words in asked}:
            help = subprocess.run(
                [sys.executable, "-m", module, name, "--help"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert help.returncode == 0, f"{module} {name}: {help.stderr}"
            options = {
                word for words in asked if words[0] == name for word in words if "--" in word
            }
            assert all(option in help.stdout for option in options), f"{module} {name}: {options}"
