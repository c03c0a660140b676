"""A hostile visitor by websocket: every setting in the link, every control, with every value."""

import asyncio
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.app_server import AppServer
from tests.benchmarks.measure import resident_megabytes
from tests.visitor import Control, Visitor

PAGES = ("", "photo", "train", "inside", "compare", "tasks", "learn")
NONSENSE = (
    "", "-1", "0", "1e400", "nan", "-inf", "9" * 400, "\x00", "😀", "../../etc/passwd",
    "<script>alert(1)</script>", "' OR 1=1 --", "%00", "[]", "{}", "null", "True", "0.5,0.5",
    "_".join(["1"] * 300), "a" * 5000, "${7*7}", "{{7*7}}", "..\\..\\", "/proc/self/environ",
)  # fmt: skip
# Parameters of links are called like the controls; these prefixes give those of each page.
PLAIN = ("source", "noise", "strength", "seed", "model", "method", "start", "drawing", "run",
         "compare", "inside", "inside_layer", "inside_digit", "code_values", "pca_width",
         "anomaly_kind", "photo_noise", "photo_strength", "photo_method", "photo_sample",
         "photo_task", "photo_level", "photo_own_level")  # fmt: skip


@dataclass
class Fuzzed:
    """What was sent and what was wrong."""

    messages: int = 0
    wrong: list[str] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def value_for(control: Control, rng: np.random.Generator) -> object | None:
    """A value of the type that this control sends; None for one that is left alone.

    It need not be one that the control allows.  No NaN and no infinity: over these Streamlit
    stumbles by itself, before the page runs, and in the session of who sends them alone.
    """
    wild = float(rng.choice([0, -1, 1, 1e9, -1e9, 1e300]))
    match control.kind:
        case "slider" if options := list(control.message.options):
            return [str(rng.choice(options if rng.random() < 0.7 else NONSENSE))]
        case "slider":
            low, high = control.message.min, control.message.max
            return [wild if rng.random() < 0.3 else float(rng.uniform(low, high))]
        case "number_input":
            if control.message.has_max and rng.random() < 0.7:
                return float(rng.integers(control.message.min, control.message.max + 1))
            return wild
        case "checkbox":
            return bool(rng.integers(2))
        case "selectbox" | "text_input":
            options = list(getattr(control.message, "options", ()))
            return str(rng.choice(options if options and rng.random() < 0.7 else NONSENSE))
        case "button_group":
            options = [option.content for option in control.message.options]
            return [str(rng.choice(options if rng.random() < 0.7 else NONSENSE))]
    return None


def name_of(identity: str) -> str:
    """What we call a control, which Streamlit puts behind a hash."""
    return identity.split("-", 2)[2]


def query_for(visitor: Visitor, rng: np.random.Generator) -> str:
    """A link with some parameters of ours, each with nonsense or with a number."""
    names = [*PLAIN, *map(name_of, visitor.controls)]
    chosen = rng.choice(names, size=int(rng.integers(1, 5)))
    values = [str(rng.choice(NONSENSE)) if rng.random() < 0.7 else f"{rng.normal():.3g}"
              for _ in chosen]  # fmt: skip
    return urllib.parse.urlencode(list(zip(chosen, values, strict=True)))


async def visit(server: AppServer, page: str, messages: int, seed: int, found: Fuzzed) -> None:
    """Open the page by links and move its controls until so many messages were sent."""
    rng = np.random.default_rng(seed)
    visitor = Visitor(server.url, page)
    sent = 0
    while sent < messages:
        visitor = Visitor(server.url, page, query_for(visitor, rng), patience=60)
        answer = await visitor.open()
        sent += 1
        found.wrong += [f"/{page}?{visitor.query}: {error}" for error in answer.errors]
        for _ in range(min(30, messages - sent)):
            if not visitor.controls:
                found.wrong.append(f"/{page}?{visitor.query}: no control is left")
                break
            control = rng.choice(np.array(list(visitor.controls.values()), object))
            value = value_for(control, rng)
            if value is None:
                continue
            sent += 1
            try:
                answer = await visitor.move(name_of(control.id), value)
            except TimeoutError:
                found.wrong.append(f"/{page} {control.id[-30:]} = {value!r}: no answer")
                break
            found.wrong += [f"/{page} {control.id[-30:]} = {value!r}: {error}"
                            for error in answer.errors]  # fmt: skip
        await visitor.close()
    found.messages += sent


def fuzz(
    folder: Path,
    messages: int,
    seed: int = 1,
    pages: tuple[str, ...] = PAGES,
    after_round: Callable[[Fuzzed], None] = lambda found: None,
) -> Fuzzed:
    """Fuzz all pages of one server, one after the other in ten rounds."""
    found = Fuzzed()
    server = AppServer(
        Path(__file__).parents[2] / "app.py",
        folder / "server.log",
        DENOISE_RUNS_DIR=str(folder / "runs"),
    )
    try:
        server.wait_until_healthy()
        rounds = 10 if messages >= 1000 else 1
        for number in range(rounds):
            for page in pages:
                share = max(2, messages // (rounds * len(pages)))
                asyncio.run(visit(server, page, share, seed + 1000 * number, found))
            found.megabytes.append(resident_megabytes(server.pid))
            after_round(found)
        said = server.tail(10_000)
        if "Traceback" in said:
            found.wrong.append(said[said.index("Traceback") :][:2000])
    finally:
        server.stop()
    return found
