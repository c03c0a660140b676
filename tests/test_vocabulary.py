"""The words of the project: what must not drift, and phrases that must not come back.

Read are the names, comments, docstrings and texts of the program, and the pages for people.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.tasks import TASKS

ROOT = Path(__file__).parents[1]
PROGRAM = ("app.py", "pages/**/*.py", "imaging/**/*.py", "models/**/*.py", "train/**/*.py")
SCRIPTS = ("pages/**/*.js", "pages/**/*.css", "pages/**/*.html", "static/**/*.js")
FOR_PEOPLE = ("pages/**/*.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md")

# What it says, and what to write instead.
PHRASES = {
    r"anew": "again",
    r"at hand": "available",
    r"beside (each other|one another)": "side by side",
    r"for ever": "forever",
    r"amid": "between, in the middle of",
    r"(?<!not )\bso many [a-z]+s": "this many",
    r"(?<!there )\b(is|are|was|were) no (?!one|longer|more|way|need)[a-z]+": "is not a, has no",
    r"(no|nobody|nothing|never|not)\b[^.;:\"]{1,30} any ?more": "no longer",
    r"usual(?!ly)": "default, ordinary",
    r"(lie|lies) in (the (run )?folder|memory|train)": "is in",
    r"(file|name)s? (has|have) a name as long": "that long",
    r"in a process of its own": "in its own process",
    r"fair chance": "fair comparison",
    r"grey veil": "brightness bias",
    r"by chance": "random, at random",
}
# The program's own words for what has one name: the others stay out of names.
NAMES = (
    r"^(usual|with_usual|spoil|came_back|settled|let_pictures_leave|losses_in_words|tidy)$",
    r"^(TellEpoch|StopWhenAsked|PatienceLost|LeaveAfterEpoch|Asked|Here|Chosen|Sitting)$",
    r"^(Whole|Levels|Share|Switch|Workbench|Shelf|Full|Entry|OwnPictures)$",
)

# What screens call the same thing everywhere, and what they could call it besides.
SCREENS = ("app.py", "pages/**/*.py", "pages/**/*.toml", "models/tasks/**/*.py", "train/recipes.py")
ON_SCREEN = {
    r"(?<!scikit-)images?(?! in this file| denoising|-)": "picture",
    r"(cleaned|restored|filtered|reconstructed) (picture|digit|photo)s?": "denoised, or rebuilt",
    r"ground truth|target picture": "Original",
    r"noise (amount|intensity|magnitude)": "noise level, or the strength of the noise",
    r"random (seed|state)": "seed",
    r"neurons?|nodes": "hidden units",
    r"weights? file": "network",
}


def files(patterns: tuple[str, ...]) -> list[str]:
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    names = (path.relative_to(ROOT).as_posix() for path in found)
    return sorted(name for name in names if not name.startswith("train/runs/"))


def texts(path: str) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and other strings of a file with their lines; a page line by line."""
    source = (ROOT / path).read_text(encoding="utf-8")
    if not path.endswith(".py"):
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def complaints(
    patterns: tuple[str, ...],
    phrases: dict[str, str] = PHRASES,
    read: Callable[[str], Iterator[tuple[int, str]]] = texts,
) -> list[str]:
    return [
        f"{path}:{line}: {found.group()!r}; rather: {better}"
        for path in files(patterns)
        for line, text in read(path)
        for phrase, better in phrases.items()
        if (found := re.search(rf"\b(?:{phrase})\b", text, re.IGNORECASE))
    ]


@pytest.mark.parametrize(
    "patterns", [PROGRAM, SCRIPTS, FOR_PEOPLE], ids=["program", "scripts", "docs"]
)
def test_phrases_that_nobody_says_do_not_come_back(patterns):
    assert complaints(patterns) == []


def on_screen(path: str) -> Iterator[tuple[int, str]]:
    """Sentences of a file that a visitor may read; a tutorial may use other words."""
    if path.endswith(".toml"):
        yield from ((line, text) for line, text in texts(path) if not text.startswith("claim"))
        return
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(tree)
        if isinstance(node, described)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if (
                text not in docstrings
                and " " in text.strip()
                and not re.search(r"[<{=]|, got| must be $", text)
            ):
                yield node.lineno, text


def test_screens_call_one_thing_by_one_name():
    assert complaints(SCREENS, ON_SCREEN, on_screen) == []


def test_the_three_pictures_have_one_name_each():
    for task in ("denoise-digits", "denoise-photos"):
        assert TASKS[task].words == ("Original", "Noisy", "Denoised")


def names(path: str) -> Iterator[tuple[int, str]]:
    """The names that a file gives: of classes, functions, arguments and variables."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name


def test_names_are_the_words_of_the_field():
    found = [
        f"{path}:{line}: {name}"
        for path in files(PROGRAM)
        for line, name in names(path)
        if any(re.search(pattern, name) for pattern in NAMES)
    ]
    assert found == []


# A builder's default size and a margin of a chart.
MAY_SAY_28 = ("imaging/digit_fit.py", "models/architectures/", "train/")


def test_the_side_of_a_digit_is_written_once():
    found = [
        f"{path}:{node.lineno}"
        for path in files(PROGRAM)
        if not path.startswith(MAY_SAY_28)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in (28, 784)
    ]
    assert found == []


SENTENCES = {
    "phrase": ("The noise is drawn anew.", True),
    "another": ("This file is no picture.", True),
    "allowed": ("There is no such model, and there are no more.", False),
    "plain": ("The noise is drawn again.", False),
}


@pytest.mark.parametrize(("sentence", "caught"), SENTENCES.values(), ids=SENTENCES)
def test_the_list_catches_what_it_should(sentence, caught):
    hits = [p for p in PHRASES if re.search(rf"\b{p}\b", sentence, re.IGNORECASE)]
    assert bool(hits) == caught
