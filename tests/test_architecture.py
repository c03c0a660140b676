"""Who may import whom: the rules of the design as one table of folders, and proof that they hold.

The server must never load Keras or TensorFlow.  The table makes that true by induction: a light
folder may import only light folders and libraries that are not Keras.  The tests at the end then
start the pages in a fresh interpreter and look.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from models.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]

OURS = {"app", "pages", "imaging", "models", "train", "tests"}
ANY = frozenset({"*"})

ARITHMETIC = frozenset({"numpy", "PIL", "scipy", "skimage"})
INFERENCE = ARITHMETIC | {"onnxruntime", "threadpoolctl"}
SCREEN = INFERENCE | {"streamlit", "streamlit_drawable_canvas", "altair", "pandas"}
TRAINING = INFERENCE | {"keras", "onnx", "sklearn"}

# What lies directly in these two is light; below them, each folder says for itself.
LIGHT_MODELS = frozenset({"models/", "models/tasks/", "models/inspection/", "models/studies/"})
LIGHT_TRAIN = frozenset({"train/"})
SHARED = frozenset({"pages/components/", "pages/components/sending/", "pages/components/viewer/"})
BEHIND_A_PAGE = LIGHT_MODELS | LIGHT_TRAIN | SHARED | {"imaging/"}
PAGES = ("draw", "learn", "photo", "training", "inside", "compare", "tasks")


@dataclass(frozen=True)
class Folder:
    """The files that lie directly in a folder, and what they may import of ours and of others.

    A folder is written with a slash at its end; ``app.py`` is the one file that stands for itself.
    ``lazily`` and ``backends`` may be imported inside functions only.  ``light`` folders never
    load Keras.  A ``deep`` folder holds what lies below it too.
    """

    name: str
    ours: frozenset[str]
    libraries: frozenset[str]
    rule: str
    lazily: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    light: bool = True
    deep: bool = False


def _of_a_page(name: str) -> Folder:
    folder = f"pages/components/{name}/"
    return Folder(
        folder,
        BEHIND_A_PAGE | {folder},
        SCREEN,
        "the parts of a page import their own folder and what pages share, never another page's",
    )


TRAINING_FOLDERS = frozenset({"train/fit/", "train/export/", "train/evaluate/", "train/studies/"})
ALL_OF_MODELS = LIGHT_MODELS | {"models/architectures/"}

FOLDERS = {
    folder.name: folder
    for folder in (
        Folder("app.py", frozenset(), frozenset({"streamlit"}), "app.py imports nothing of ours"),
        Folder(
            "pages/",
            BEHIND_A_PAGE | {f"pages/components/{name}/" for name in PAGES},
            SCREEN,
            "a page imports its components, light models, light train and imaging; never a page, "
            "never Keras",
        ),
        *(
            Folder(
                name,
                BEHIND_A_PAGE,
                # How Streamlit sends and takes in by means of these is mended there.
                SCREEN
                | (
                    {"starlette", "uvicorn", "websockets"}
                    if name == "pages/components/sending/"
                    else set()
                ),
                "what pages share imports light models, light train and imaging; never a page's "
                "own parts, never Keras",
            )
            for name in sorted(SHARED)
        ),
        *(_of_a_page(name) for name in PAGES),
        Folder(
            "imaging/",
            frozenset({"imaging/"}),
            ARITHMETIC,
            "imaging imports nothing of ours but imaging; readers of rare files only once needed",
            backends=frozenset({"tifffile", "pi_heif", "soundfile"}),
            deep=True,
        ),
        *(
            Folder(
                name,
                LIGHT_MODELS | {"imaging/"},
                INFERENCE,
                "models (without architectures) imports imaging only, never Keras",
                deep=name == "models/tasks/",
            )
            for name in sorted(LIGHT_MODELS)
        ),
        Folder(
            "models/architectures/",
            frozenset({"models/architectures/", "imaging/"}),
            frozenset({"keras", "numpy"}),
            "an architecture imports keras and imaging at most",
            light=False,
        ),
        Folder(
            "train/",
            LIGHT_TRAIN | LIGHT_MODELS | {"imaging/"},
            INFERENCE,
            "what lies directly in train never imports Keras; a command does once it needs it",
            lazily=TRAINING_FOLDERS | {"models/architectures/"},
        ),
        *(
            Folder(
                name,
                TRAINING_FOLDERS | LIGHT_TRAIN | ALL_OF_MODELS | {"imaging/"},
                TRAINING,
                "training imports train, models and imaging; a backend only inside a function",
                backends=frozenset({"jax"}),
                light=False,
            )
            for name in sorted(TRAINING_FOLDERS)
        ),
        Folder(
            "tests/",
            frozenset(f"{top}/" for top in OURS),
            ANY,
            "tests may import everything but TensorFlow",
            light=False,
            deep=True,
        ),
    )
}
# The one file that has a right of its own.
CACHES = "pages/components/cached.py"

# Keras code runs on any backend, so no file names one.
BACKENDS = {"tensorflow", "tf_keras", "jax", "torch"}


def folder_of(path: str) -> Folder | None:
    """The folder of a file, given relative to the project; None where the design has none."""
    parent, slash, _ = path.rpartition("/")
    if not slash:
        return FOLDERS.get(path)
    deep = (each for name, each in FOLDERS.items() if each.deep and path.startswith(name))
    return FOLDERS.get(f"{parent}/") or next(deep, None)


def place_of(name: str) -> str:
    """The folder of the design in which a dotted name lies; a package lies in its own folder."""
    if name.partition(".")[0] == "app":
        return "app.py"
    path = name.replace(".", "/") + "/"
    return max((known for known in FOLDERS if path.startswith(known)), key=len)


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


def violations(source: str, path: str) -> list[str]:
    """What a file of this source at this path does against the rules, one line each."""
    folder = folder_of(path)
    if folder is None:
        return [f"{path}:1: no folder of the design holds this file"]
    tree = ast.parse(source, path)
    found = []
    for used in imports(tree, path):
        top = used.name.partition(".")[0]
        if top in BACKENDS and not (top in folder.backends and used.lazy):
            complaint = "Keras code names no backend"
        elif top in sys.stdlib_module_names or (top in folder.backends and used.lazy):
            continue
        elif folder.libraries == ANY:
            complaint = None
        elif top in OURS:
            # A command line loads what a command needs, and only inside a function.
            late = used.lazy and path.endswith("/__main__.py")
            allowed = folder.ours | (folder.lazily if late else frozenset())
            complaint = None if place_of(used.name) in allowed else folder.rule
        else:
            complaint = None if top in folder.libraries else folder.rule
        if complaint:
            found.append(f"{path}:{used.line}: imports {used.name}, but {complaint}")
    if path.startswith("pages/") and path != CACHES:
        found += [
            f"{path}:{line}: uses a Streamlit cache, but only {CACHES} does"
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


def test_every_file_imports_only_what_its_folder_may():
    found = [
        complaint
        for path in project_files()
        for complaint in violations((ROOT / path).read_text(encoding="utf-8"), path)
    ]
    assert not found, "\n".join(found)


def test_light_folders_lead_only_to_light_folders():
    for folder in FOLDERS.values():
        if folder.light:
            assert not folder.libraries & (BACKENDS | {"keras"}), folder.name
            assert folder.libraries != ANY, folder.name
            assert all(FOLDERS[name].light for name in folder.ours), folder.name


def test_only_the_command_line_and_the_training_reach_what_loads_keras():
    assert {name for name, folder in FOLDERS.items() if folder.lazily} == {"train/"}
    assert {name for name, folder in FOLDERS.items() if not folder.light} == {
        "models/architectures/",
        "tests/",
        *TRAINING_FOLDERS,
    }


def test_no_module_shares_its_name_with_a_folder_beside_it():
    for path in project_files():
        assert not (ROOT / path.removesuffix(".py")).is_dir(), path


# A folder is one subject, and so is a name


MOST_MODULES = 20  # In one folder: more are an attic.
# A name that stands in several folders means the same subject, seen from each of them.
SAME_SUBJECT = {
    "audio": "sound",
    "level": "the level of the noise in a photo",
    "progress": "how far somebody or something has come",
    "show": "how something is drawn on a page",
    "anomaly": "how badly something is rebuilt",
    "autoencoders": "dense autoencoders and PCA",
    "brought": "a network that a visitor has brought: asked for, and read in another process",
    "codes": "the codes of test digits",
    "controls": "what is asked: on every page, on one",
    "data": "where the examples of a training come from",
    "downloads": "what a page gives to take away",
    "live": "the preview in the browser",
    "methods": "networks and baselines of a task as one list",
    "metrics": "quality: of pictures, and while a network trains",
    "pixel_order": "digits in order and shuffled",
    "segmentation": "regions in pictures",
    "settings": "what of a page stands in its link",
    "shared": "what the modules of this folder share",
    "skips": "switches at the skip connections of a network",
    "window": "one window of a convolution, worked out",
    "work": "the long work of a page",
}


def names_in_several_folders() -> dict[str, list[str]]:
    """Modules of one name by that name."""
    places: dict[str, list[str]] = {}
    for path in project_files():
        if not path.startswith("tests/") and not Path(path).name.startswith("__"):
            places.setdefault(Path(path).stem, []).append(path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def test_a_name_in_several_folders_means_one_subject():
    found = names_in_several_folders()
    assert not {name: paths for name, paths in found.items() if name not in SAME_SUBJECT}


def test_no_folder_is_an_attic():
    folders = Counter(
        Path(path).parent.as_posix()
        for path in project_files()
        if not path.startswith("tests/") and Path(path).name != "__init__.py"
    )
    assert {folder: n for folder, n in folders.items() if n > MOST_MODULES} == {}


# Nothing asks a task or a data set for its name


def comparisons_with_names(source: str, names: frozenset[str]) -> list[int]:
    """The lines that compare something with one of the names, written out or that of a TASK."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare | ast.match_case):
            parts = list(ast.walk(node.pattern if isinstance(node, ast.match_case) else node))
            written = {part.value for part in parts if isinstance(part, ast.Constant)}
            of_a_task = {ast.unparse(part) for part in parts if isinstance(part, ast.Attribute)}
            if written & names or any(part.endswith("TASK.name") for part in of_a_task):
                found.append(getattr(node, "lineno", 0))
    return found


def test_no_program_asks_a_task_or_a_data_set_for_its_name():
    names = frozenset(TASKS) | {data for task in TASKS.values() for data in task.data}
    found = [
        f"{path}:{line}"
        for path in project_files()
        if not path.startswith(("tests/", "models/tasks/"))
        for line in comparisons_with_names((ROOT / path).read_text(encoding="utf-8"), names)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "if config.data == 'mnist': ...",
        "x = [row for row in rows if row.task != 'mnist']",
        "y = data in ('mnist', 'own')",
        "match data:\n    case 'mnist': ...",
        "cards = [card for card in cards if card.task == TASK.name]",
        "if task.name in (read_digits.TASK.name, 'x'): ...",
    ],
)
def test_asking_for_a_name_would_be_noticed(source: str):
    assert comparisons_with_names(source, frozenset({"mnist"}))


# The checker sees what it should


# What breaks a rule, by the file in which it stands.
BAD = {
    "imaging/noise.py": {
        "imaging reaches for a model": "from models import catalogue",
        "imaging loads Streamlit": "import streamlit as st",
        "imaging loads onnxruntime": "import onnxruntime",
    },
    "models/catalogue.py": {
        "the catalogue loads Keras": "import keras",
        "the catalogue loads Keras late": "def f():\n    import keras",
    },
    "models/predictor.py": {
        "the denoiser builds a network": "from models.architectures import unet",
        "the same, relative": "from .architectures import unet",
        "the same, from the package": "from . import architectures",
    },
    "models/__main__.py": {
        "the batch command line trains": "from train import jobs",
    },
    "models/architectures/unet.py": {
        "an architecture reads the catalogue": "from models.catalogue import Card",
        "an architecture uses TensorFlow": "import tensorflow as tf",
        "an architecture draws": "from PIL import Image",
    },
    "train/fit/loop.py": {
        "training uses TensorFlow": "from tensorflow.data import Dataset",
        "training uses JAX at once": "import jax",
        "training draws on the screen": "import streamlit",
        "training imports a page": "from pages.components import viewer",
    },
    "train/fit/distributed.py": {
        "the workers load JAX, which need not be there": "import jax",
        "the workers use another engine": "def f():\n    import tensorflow",
    },
    "train/jobs.py": {
        "the job keeper loads Keras": "import keras.callbacks",
        "the job keeper loads the loop": "def f():\n    from train.fit.loop import fit",
    },
    "train/config.py": {
        "the settings load Keras for types": (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras"
        ),
    },
    "train/recipes.py": {
        "the recipes list the architectures": "from models import architectures",
    },
    "train/__init__.py": {
        "the train package loads Keras": "from train.fit import loop",
    },
    "train/__main__.py": {
        "the command line loads Keras at once": "from train.fit import loop",
    },
    "pages/draw.py": {
        "a page imports a page": "from pages import photo",
        "a page imports a page in full": "import pages.photo",
        "a page takes a library we do not pin": "import cv2",
        "a page caches": "import streamlit as st\n@st.cache_data\ndef f(): ...",
    },
    "pages/components/layout.py": {
        "a shared part imports a page": "from pages.draw import x",
        "what pages share reaches into one page's parts": (
            "from pages.components.draw.controls import pick_drawing"
        ),
    },
    "pages/inside.py": {
        "a page loads Keras": "import keras",
        "a page hides it": "import importlib\nimportlib.import_module('keras')",
        "a page hides it better": "__import__('tensorflow')",
    },
    "pages/_train.py": {
        "a page trains": "from train.fit.loop import fit",
    },
    "pages/components/photo/work.py": {
        "a page reaches into another's parts": "from pages.components.draw import controls",
    },
    "pages/components/viewer/__init__.py": {
        "a part caches": "from streamlit import cache_resource",
    },
    "app.py": {
        "the app file imports a page": "from pages import draw",
        "the app file imports a part": "from pages.components.layout import page_setup",
    },
    "tests/train/test_loop.py": {
        "a test loads TensorFlow": "import tensorflow",
    },
    "helpers.py": {
        "a file stands outside every folder": "import json",
    },
    "pages/more/draw.py": {
        "a page stands in a folder of its own": "import json",
    },
}

GOOD = {
    "app.py": "import streamlit as st",
    "imaging/metrics.py": "import numpy\nfrom imaging.noise import KINDS\nfrom . import noise",
    "models/predictor.py": "import onnxruntime\nfrom models.catalogue import Card\nimport imaging",
    "models/architectures/unet.py": "import keras\nfrom keras import layers",
    "train/config.py": "from dataclasses import dataclass\nfrom models import catalogue",
    "train/__main__.py": "import argparse\ndef run():\n    from train.fit import loop",
    "train/fit/loop.py": "import keras\nfrom models.architectures import unet\nimport train.fit",
    "train/fit/distributed.py": "import keras\ndef f():\n    from jax import experimental",
    "pages/_train.py": "import streamlit\nfrom train import jobs\nfrom pages.components import x",
    "pages/components/cached.py": "import streamlit as st\n@st.cache_resource\ndef f(): ...",
    "tests/models/test_unet.py": "import keras\nfrom models.architectures import unet",
}


def test_the_checker_reports_each_breach_once():
    found = {
        what: violations(source, path)
        for path, breaches in BAD.items()
        for what, source in breaches.items()
    }
    assert {what: lines for what, lines in found.items() if len(lines) != 1} == {}


def test_the_checker_accepts_what_keeps_the_rules():
    found = {path: violations(source, path) for path, source in GOOD.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_report_names_the_file_the_line_and_the_rule():
    source = '"""Doc."""\n\nimport json\n\nimport keras\n'
    assert violations(source, "models/predictor.py") == [
        "models/predictor.py:5: imports keras, but models (without architectures) imports "
        "imaging only, never Keras"
    ]


# And in a running interpreter


RUN_PAGES = """
import json, sys
from streamlit import config
from streamlit.testing.v1 import AppTest

config.set_option("client.showErrorDetails", "full")
seen = {}
for path in sys.argv[1:]:
    app = AppTest.from_file(path, default_timeout=60).run()
    seen[path] = {
        "exceptions": [f"{box.message}: {list(box.stack_trace)}" for box in app.exception],
        "elements": len(app.main) > 0,
        "heavy": sorted({"keras", "tensorflow"} & sys.modules.keys()),
    }
print(json.dumps(seen))
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
        if path == "app.py" or (fnmatch(path, "pages/*.py") and path.count("/") == 1)
    ]


def test_every_screen_starts_without_tensorflow():
    seen = in_fresh_interpreter(RUN_PAGES, *(str(ROOT / path) for path in screens()))
    assert seen == {
        str(ROOT / path): {"exceptions": [], "elements": True, "heavy": []} for path in screens()
    }


def test_everything_behind_the_screens_loads_without_tensorflow():
    behind = [
        path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for path in project_files()
        if path.startswith(("imaging/", "models/", "train/")) and folder_of(path).light
    ]
    assert in_fresh_interpreter(IMPORT_MODULES, *behind) == []


def test_the_fresh_interpreter_would_notice_keras():
    assert in_fresh_interpreter(IMPORT_MODULES, "json", "keras") == ["keras"]


OPEN_A_NETWORK = """
import importlib, json, os, sys

importlib.import_module(sys.argv[1])
import onnxruntime
onnxruntime.InferenceSession("models/pretrained/dense/model.onnx")
print(json.dumps(None))
"""


# Where one of these is set, onnxruntime takes the machine for one that tests, and keeps no record.
SAYS_TESTING = (
    *("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL"),
    *("CODEBUILD_BUILD_ID", "BUILDKITE", "TEAMCITY_VERSION", "APPVEYOR"),
)


def written_by_onnxruntime(folder: Path, monkeypatch, first: str) -> list[str]:
    """What a process that loads this module first leaves in its home and for temporary files."""
    for name in ("ORT_DISABLE_TELEMETRY", *SAYS_TESTING):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder))
    in_fresh_interpreter(OPEN_A_NETWORK, first)
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "first", ["models.session", "pages.components.cached", "train.export.onnx_constants"]
)
def test_onnxruntime_is_told_to_keep_no_record_of_its_use(tmp_path, monkeypatch, first):
    assert written_by_onnxruntime(tmp_path, monkeypatch, first) == []


def test_onnxruntime_still_keeps_a_record_where_nobody_tells_it(tmp_path, monkeypatch):
    """Once this fails, the variable in ``models`` can go."""
    assert "onnxruntime.db" in written_by_onnxruntime(tmp_path, monkeypatch, "json")


def test_whoever_loads_onnxruntime_is_in_a_package_that_tells_it_before():
    loading = [
        path
        for path in project_files()
        if not path.startswith("tests/")
        and re.search(
            r"^(import|from) onnxruntime", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert loading
    assert all(path.startswith(("models/", "train/")) for path in loading), loading
