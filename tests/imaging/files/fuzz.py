"""Opens damaged copies of files and says which were not answered as they should be.

`python -m tests.imaging.files.fuzz FOLDER --copies 20000` takes all files below the folder in
turn.  A copy that is opened or refused with a sentence, within the limits of time and memory, is
right.  Copy N is the same in each run: `--only N` opens it alone.
"""

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

from imaging.files import limits
from imaging.files.limits import PhotoError
from imaging.files.reading import read_photo

MOST_SECONDS = 5.0
MOST_MEMORY = limits.LARGEST_MEMORY  # Bytes more than before the file was opened.
AT_ONCE = 500  # Copies for one process: if it dies, it is known which it was.


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the content with one to four damages of different kinds."""
    for _ in range(rng.integers(1, 5)):
        size = len(content)
        if size < 8:
            return content
        # As often in the first bytes, where the numbers are that count, as anywhere.
        at = int(rng.integers(0, min(size, 200) if rng.random() < 0.5 else size))
        stretch = int(rng.integers(1, max(2, size // 10)))
        match int(rng.integers(0, 7)):
            case 0:
                content = content[: max(1, at)]
            case 1:
                few = int(rng.integers(1, 9))
                content = content[:at] + rng.bytes(few) + content[at + few :]
            case 2:
                content = content[:at] + bytes(stretch) + content[at + stretch :]
            case 3:
                content = content[:at] + b"\xff" * 4 + content[at + 4 :]
            case 4:
                content = content[:at] + content[at + stretch :]
            case 5:
                content = content[:at] + content[at : at + stretch] + content[at:]
            case 6:
                other = int(rng.integers(0, size))
                content = content[:at] + content[other : other + stretch] + content[at:]
    return content


def open_one(files: list[Path], seed: int, number: int) -> tuple[str, float, int]:
    """Return what became of a copy, the seconds it took a processor, and its bytes at the most."""
    path = files[number % len(files)]
    content = damaged(path.read_bytes(), np.random.default_rng([seed, number]))
    before = _memory("VmRSS")
    _forget_highest()
    start = time.process_time()
    try:
        photo = read_photo(content, path.name)
        what = "opened" if photo.pixels.size else "an image without pixels"
    except PhotoError as problem:
        what = "refused" if str(problem).rstrip().endswith(".") else f"no sentence: {problem}"
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    more = _memory("VmHWM") - before
    if seconds > MOST_SECONDS:
        what = "too slow"
    if more > MOST_MEMORY:
        what = "too much memory"
    return what, seconds, more


def _memory(name: str) -> int:
    """Bytes of this process, by their name in Linux's table."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _forget_highest() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _work(files: list[Path], seed: int, numbers: range, answers, current) -> None:
    for number in numbers:
        current.value = number
        answers.put((number, *open_one(files, seed, number)))


def main() -> int:
    """Open the copies; the exit status says whether all was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--copies", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    asked = parser.parse_args()
    files = sorted(path for folder in asked.folders for path in folder.rglob("*") if path.is_file())
    if asked.only is not None:
        print(files[asked.only % len(files)], *open_one(files, asked.seed, asked.only))
        return 0
    counts: dict[str, int] = {}
    wrong, slowest, largest = 0, (0.0, 0), (0, 0)
    for first in range(0, asked.copies, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, asked.copies))
        answers, current = multiprocessing.SimpleQueue(), multiprocessing.Value("q", first)
        work = (files, asked.seed, numbers, answers, current)
        process = multiprocessing.Process(target=_work, args=work)
        process.start()
        for _ in numbers:
            while answers.empty() and process.is_alive():
                time.sleep(0.002)
            if answers.empty():
                print(f"copy {current.value}: the process died with {process.exitcode}")
                wrong += 1
                break
            number, what, seconds, more = answers.get()
            counts[what] = counts.get(what, 0) + 1
            slowest, largest = max(slowest, (seconds, number)), max(largest, (more, number))
            if what not in ("opened", "refused"):
                print(f"copy {number} of {files[number % len(files)].name}: {what}")
                wrong += 1
        process.join()
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    print(f"longest {slowest[0]:.2f} s (copy {slowest[1]}), ", end="")
    print(f"most memory {largest[0] / 1e6:.0f} MB (copy {largest[1]})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
