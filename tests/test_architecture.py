"""Who may import whom: the rules of the design as one table, and proof that they hold.

The server must never load Keras or TensorFlow.  The table makes that true by induction: a
lean room may import only lean rooms and libraries that are not Keras.  The tests at the end
then start every page in a fresh interpreter and look.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

OURS = {"app", "pages", "imaging", "models", "train", "tests"}
ANY = frozenset({"*"})

ARITHMETIC = frozenset({"numpy", "PIL", "scipy", "skimage"})
INFERENCE = ARITHMETIC | {"onnxruntime"}
SCREEN = INFERENCE | {"streamlit", "streamlit_drawable_canvas", "altair", "pandas"}
TRAINING = INFERENCE | {"keras", "onnx", "sklearn"}

# What models are without their builders.
CATALOGUE = frozenset(
    {
        "models.catalogue",
        "models.denoiser",
        "models.inside",
        "models.lab",
        "models.layers",
        "models.live",
        "models.photo",
        "models.tiles",
        "models.window",
        "models.workbench",
    }
)
TRAIN_LEAN = frozenset(
    {
        "train.config",
        "train.jobs",
        "train.memory",
        "train.recipes",
        "train.records",
        "train.runs",
    }
)
BEHIND_A_PAGE = CATALOGUE | TRAIN_LEAN | {"imaging", "pages.components"}


@dataclass(frozen=True)
class Room:
    """Some files and what they may import besides the standard library.

    A name allows what lies below it too.  ``lazily`` and ``backends`` are allowed inside functions
    only.  ``lean`` rooms never load Keras.  ``caches`` may use ``st.cache_data`` and its kin.
    """

    files: tuple[str, ...]
    ours: frozenset[str]
    libraries: frozenset[str]
    rule: str
    lazily: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    lean: bool = True
    caches: bool = False


# A file belongs to the first room that names it.
ROOMS = (
    Room(("app.py",), frozenset(), frozenset({"streamlit"}), "app.py imports nothing of ours"),
    Room(
        ("pages/components/cached.py",),
        BEHIND_A_PAGE,
        SCREEN,
        "pages reach models without architectures, imaging and train's lean modules",
        caches=True,
    ),
    Room(
        ("pages/*.py", "pages/components/*.py"),
        BEHIND_A_PAGE,
        SCREEN,
        "a page imports pages.components, models without architectures, imaging and "
        "train's lean modules; never a page, never Keras",
    ),
    Room(
        ("imaging/*.py",),
        frozenset({"imaging"}),
        ARITHMETIC,
        "imaging imports nothing of ours but imaging",
    ),
    Room(
        ("models/architectures/*.py",),
        frozenset({"models.architectures", "imaging"}),
        frozenset({"keras", "numpy"}),
        "an architecture imports keras and imaging at most",
        lean=False,
    ),
    Room(
        ("models/*.py",),
        CATALOGUE | {"imaging"},
        INFERENCE,
        "models (without architectures) imports imaging only, never Keras",
    ),
    Room(
        ("train/__main__.py",),
        CATALOGUE | TRAIN_LEAN | {"imaging"},
        INFERENCE,
        "the command line loads Keras only once a command needs it",
        lazily=frozenset({"train", "models.architectures"}),
    ),
    Room(
        (
            "train/__init__.py",
            "train/config.py",
            "train/jobs.py",
            "train/memory.py",
            "train/recipes.py",
            "train/records.py",
            "train/runs.py",
            "train/workers.py",
        ),
        CATALOGUE | TRAIN_LEAN | {"imaging"},
        INFERENCE,
        "what the training page uses of train never imports Keras",
    ),
    Room(
        ("train/distributed.py",),
        frozenset({"train"}),
        frozenset({"keras", "numpy"}),
        "workers talk to each other in one file, by the engine that trains them together",
        backends=frozenset({"jax"}),
        lean=False,
    ),
    Room(
        ("train/*.py",),
        CATALOGUE | {"train", "models.architectures", "imaging"},
        TRAINING,
        "train imports train, models and imaging; of Keras's backends it imports none",
        lean=False,
    ),
    Room(
        ("tests/*.py",),
        frozenset(OURS),
        ANY,
        "tests may import everything but TensorFlow",
        lean=False,
    ),
)

# Keras code runs on any backend, so no file names one.
BACKENDS = {"tensorflow", "tf_keras", "jax", "torch"}


def room_of(path: str) -> Room | None:
    """The room of a file, given relative to the project; None for a file of no room."""
    for room in ROOMS:
        for pattern in room.files:
            # `pages/x/y.py` is no page, whatever fnmatch's `*` thinks of the slash.
            flat = pattern.startswith("pages/")
            if fnmatch(path, pattern) and (not flat or path.count("/") == pattern.count("/")):
                return room
    return None


@dataclass(frozen=True)
class Import:
    """One imported name, where it stands, and whether it waits inside a function."""

    name: str
    line: int
    lazy: bool


def imports(tree: ast.AST, path: str) -> Iterator[Import]:
    """Every import in a file, wherever it stands.

    Plain, from, relative, in a function, under TYPE_CHECKING, or by
    ``importlib.import_module`` and ``__import__`` with a literal name.
    """
    package = path.removesuffix(".py").split("/")[:-1]

    def visit(node: ast.AST, lazy: bool) -> Iterator[Import]:
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, node.lineno, lazy) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package[: len(package) - level + 1] if level else []
                base = [*base, *([module] if module else [])]
                yield from (
                    Import(".".join([*base, alias.name]), node.lineno, lazy) for alias in names
                )
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(name, node.lineno, lazy)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy)

    return visit(tree, False)


def caches(tree: ast.AST) -> Iterator[int]:
    """The lines that use one of Streamlit's caches."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="st" | "streamlit"), attr=name) if name.startswith(
                "cache_"
            ):
                yield node.lineno
            case ast.ImportFrom(module="streamlit", names=names):
                if any(alias.name.startswith("cache_") for alias in names):
                    yield node.lineno


def within(name: str, allowed: frozenset[str]) -> bool:
    """Whether a dotted name is one of the allowed ones or lies below one."""
    return any(name == top or name.startswith(f"{top}.") for top in allowed)


def violations(source: str, path: str) -> list[str]:
    """What a file of this source at this path does against the rules, one line each."""
    room = room_of(path)
    if room is None:
        return [f"{path}:1: no room of the design holds this file"]
    tree = ast.parse(source, path)
    found = []
    for used in imports(tree, path):
        top = used.name.partition(".")[0]
        if top in BACKENDS and not (top in room.backends and used.lazy):
            complaint = "Keras code names no backend"
        elif top in sys.stdlib_module_names or top in room.backends:
            continue
        elif top in OURS:
            allowed = room.ours | (room.lazily if used.lazy else frozenset())
            complaint = None if within(used.name, allowed) else room.rule
        else:
            complaint = None if top in room.libraries or room.libraries == ANY else room.rule
        if complaint:
            found.append(f"{path}:{used.line}: imports {used.name}, but {complaint}")
    if path.startswith("pages/") and not room.caches:
        found += [
            f"{path}:{line}: uses a Streamlit cache, but only pages/components/cached.py does"
            for line in caches(tree)
        ]
    return found


def project_files() -> list[str]:
    """Every Python file of the project, relative to its root."""
    folders = [ROOT / name for name in sorted(OURS - {"app"})]
    paths = [*ROOT.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]
    relative = (path.relative_to(ROOT).as_posix() for path in paths)
    return sorted(path for path in relative if not path.startswith("train/runs/"))


# The project keeps the rules


@pytest.mark.parametrize("path", project_files())
def test_a_file_imports_only_what_its_room_may(path: str):
    found = violations((ROOT / path).read_text(encoding="utf-8"), path)
    assert not found, "\n".join(found)


def test_lean_rooms_lead_only_to_lean_rooms():
    for room in ROOMS:
        if not room.lean:
            continue
        assert not room.libraries & (BACKENDS | {"keras"}), room.rule
        assert room.libraries != ANY, room.rule
        for name in room.ours:
            # A name lets in what lies below it, and some below these loads Keras.
            assert name not in {"models", "train"}, room.rule
            target = room_of(name.replace(".", "/") + ("" if "." in name else "/__init__") + ".py")
            assert target is not None, name
            assert target.lean, name


# The checker sees what it should


BAD = {
    "imaging reaches for a model": ("imaging/noise.py", "from models import catalogue"),
    "imaging loads Streamlit": ("imaging/noise.py", "import streamlit as st"),
    "imaging loads onnxruntime": ("imaging/noise.py", "import onnxruntime"),
    "the catalogue loads Keras": ("models/catalogue.py", "import keras"),
    "the catalogue loads Keras late": ("models/catalogue.py", "def f():\n    import keras"),
    "the denoiser builds a network": (
        "models/denoiser.py",
        "from models.architectures import unet",
    ),
    "the same, relative": ("models/denoiser.py", "from .architectures import unet"),
    "the same, from the package": ("models/denoiser.py", "from . import architectures"),
    "the batch command line trains": ("models/__main__.py", "from train import jobs"),
    "an architecture reads the catalogue": (
        "models/architectures/unet.py",
        "from models.catalogue import Card",
    ),
    "an architecture uses TensorFlow": ("models/architectures/unet.py", "import tensorflow as tf"),
    "an architecture draws": ("models/architectures/unet.py", "from PIL import Image"),
    "training uses TensorFlow": ("train/loop.py", "from tensorflow.data import Dataset"),
    "the workers load JAX, which need not be there": ("train/distributed.py", "import jax"),
    "the workers use another engine": (
        "train/distributed.py",
        "def f():\n    import tensorflow",
    ),
    "training uses JAX": ("train/loop.py", "def f():\n    import jax"),
    "training draws on the screen": ("train/loop.py", "import streamlit"),
    "training imports a page": ("train/loop.py", "from pages.components import viewer"),
    "the job keeper loads Keras": ("train/jobs.py", "import keras.callbacks"),
    "the job keeper loads the loop": ("train/jobs.py", "def f():\n    from train.loop import fit"),
    "the settings load Keras for types": (
        "train/config.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras",
    ),
    "the recipes list the architectures": ("train/recipes.py", "from models import architectures"),
    "the train package loads Keras": ("train/__init__.py", "from train import loop"),
    "the command line loads Keras at once": ("train/__main__.py", "from train import loop"),
    "a page imports a page": ("pages/draw.py", "from pages import photo"),
    "a page imports a page in full": ("pages/draw.py", "import pages.photo"),
    "a shared part imports a page": ("pages/components/layout.py", "from pages.draw import x"),
    "a page loads Keras": ("pages/inside.py", "import keras"),
    "a page hides it": ("pages/inside.py", "import importlib\nimportlib.import_module('keras')"),
    "a page hides it better": ("pages/inside.py", "__import__('tensorflow')"),
    "a page trains": ("pages/train.py", "from train.loop import fit"),
    "a page takes a library we do not pin": ("pages/draw.py", "import cv2"),
    "a page caches": ("pages/draw.py", "import streamlit as st\n@st.cache_data\ndef f(): ..."),
    "a part caches": ("pages/components/viewer.py", "from streamlit import cache_resource"),
    "the app file imports a page": ("app.py", "from pages import draw"),
    "the app file imports a part": ("app.py", "from pages.components.layout import page_setup"),
    "a test loads TensorFlow": ("tests/train/test_loop.py", "import tensorflow"),
    "a file stands outside every room": ("helpers.py", "import json"),
    "a page stands in a folder of its own": ("pages/more/draw.py", "import json"),
}

GOOD = {
    "app.py": "import streamlit as st",
    "imaging/metrics.py": "import numpy\nfrom imaging.noise import KINDS\nfrom . import noise",
    "models/denoiser.py": "import onnxruntime\nfrom models.catalogue import Card\nimport imaging",
    "models/architectures/unet.py": "import keras\nfrom keras import layers",
    "train/config.py": "from dataclasses import dataclass\nfrom models import catalogue",
    "train/__main__.py": "import argparse\ndef run():\n    from train import loop",
    "train/loop.py": "import keras\nfrom models.architectures import unet\nfrom train import data",
    "train/distributed.py": "import keras\ndef f():\n    from jax import experimental",
    "pages/train.py": "import streamlit\nfrom train import jobs\nfrom pages.components import x",
    "pages/components/cached.py": "import streamlit as st\n@st.cache_resource\ndef f(): ...",
    "tests/models/test_unet.py": "import keras\nfrom models.architectures import unet",
}


@pytest.mark.parametrize(("path", "source"), BAD.values(), ids=BAD.keys())
def test_the_checker_reports(path: str, source: str):
    found = violations(source, path)
    assert len(found) == 1, found


@pytest.mark.parametrize(("path", "source"), GOOD.items(), ids=GOOD.keys())
def test_the_checker_accepts(path: str, source: str):
    assert violations(source, path) == []


def test_a_report_names_the_file_the_line_and_the_rule():
    source = '"""Doc."""\n\nimport json\n\nimport keras\n'
    assert violations(source, "models/denoiser.py") == [
        "models/denoiser.py:5: imports keras, but models (without architectures) imports "
        "imaging only, never Keras"
    ]


# And in a running interpreter


RUN_PAGE = """
import json, sys
import train  # AppTest puts pages/ on the path, a server the root: this is not pages/train.py.
from streamlit import config
from streamlit.testing.v1 import AppTest

config.set_option("client.showErrorDetails", "full")
app = AppTest.from_file(sys.argv[1], default_timeout=60).run()
print(json.dumps({
    "exceptions": [f"{box.message}: {list(box.stack_trace)}" for box in app.exception],
    "elements": len(app.main),
    "heavy": sorted({"keras", "tensorflow"} & sys.modules.keys()),
}))
"""

IMPORT_MODULES = """
import importlib, json, sys

guilty = []
for name in sys.argv[1:]:
    importlib.import_module(name)
    if {"keras", "tensorflow"} & sys.modules.keys():
        guilty.append(name)
        break
print(json.dumps(guilty))
"""


def in_fresh_interpreter(program: str, *arguments: str) -> object:
    """What the program printed last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def screens() -> list[str]:
    """The files that a server may be asked to run."""
    return [
        path
        for path in project_files()
        if path == "app.py" or (fnmatch(path, "pages/[!_]*.py") and path.count("/") == 1)
    ]


@pytest.mark.parametrize("path", screens())
def test_a_screen_starts_alone_and_without_tensorflow(path: str):
    seen = in_fresh_interpreter(RUN_PAGE, str(ROOT / path))
    assert seen["exceptions"] == []
    assert seen["heavy"] == []
    assert seen["elements"] > 0


def test_everything_behind_the_screens_loads_without_tensorflow():
    behind = [
        path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for path in project_files()
        if path.startswith(("imaging/", "models/", "train/")) and room_of(path).lean
    ]
    assert in_fresh_interpreter(IMPORT_MODULES, *behind) == []


def test_the_fresh_interpreter_would_notice_keras():
    assert in_fresh_interpreter(IMPORT_MODULES, "json", "keras") == ["keras"]
