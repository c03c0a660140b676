"""What the image must hold, since a container of it may not write."""

from tests.app_server import ROOT
from tests.bare_root import instructions


def test_all_that_runs_is_compiled_when_the_image_is_built():
    steps = list(instructions((ROOT / "Dockerfile").read_text()))
    (installed,) = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert "--no-compile" not in installed
    compiled = next(rest.split() for _, rest in steps if "compileall" in rest)
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert {"app.py", "pages", *ours} <= {*compiled}
    # After our files have come, and while somebody may still write.
    words = [word if word != "COPY" else rest for word, rest in steps]
    compiling = next(place for place, (_, rest) in enumerate(steps) if "compileall" in rest)
    assert words.index(". .") < compiling < words.index("USER")
