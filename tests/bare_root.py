"""The steps of the Dockerfile in a bare Debian, where no container engine is at hand.

    sudo python -m tests.bare_root FOLDER [--bind PATH ...]

``debootstrap`` makes the base, Debian's Python stands in for the image's.  Then every instruction
is carried out as it is written there, each stage in a root of its own.  What it starts sees that
root read-only but for ``/tmp`` and the volume, as a user without rights and without a way back to
them, as ``compose.yaml`` has it.  Then: the health check answers, a visitor comes to every page
and moves a slider, a network is trained, and nothing was written anywhere else.

``--bind`` shows a folder or file of this machine to the build, a certificate for instance; pip's
settings in the environment are passed on.
"""

import argparse
import asyncio
import fnmatch
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.app_server import ROOT
from tests.visitor import Visitor

PAGES = {"": "draw_strength", "photo": "photo_strength", "inside": "inside_strength",
         "train": "", "tasks": "", "compare": "", "learn": ""}  # fmt: skip
PACKAGES = "python3,python3-venv,ca-certificates"
TOKEN = "a visitor of the container"
PATIENCE = 60


@dataclass
class Stage:
    """A root, and what the instructions so far have set for it."""

    root: Path
    workdir: str = "/"
    user: str = "root"
    env: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, each with the rest of its line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in whole.splitlines() if line.strip()]


def build(folder: Path, bind: list[Path], built: bool) -> Stage:
    """Carry out the Dockerfile, unless it is built already; return its last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in instructions((ROOT / "Dockerfile").read_text()):
        print(f"{word} {rest}", flush=True)
        if word == "EXPOSE" or (built and word in ("COPY", "RUN")):
            continue  # No port is closed here.
        match word:
            case "FROM":
                name = rest.rpartition(" AS ")[2] if " AS " in rest else str(len(stages))
                stage = stages[name] = Stage(folder / name)
                if not built:
                    made = ["cp", "-a", "--reflink=auto", base(folder), stage.root]
                    subprocess.run(made, check=True)
                stage.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
            case "WORKDIR":
                stage.workdir = rest
                (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                copy(rest, stage, stages)
            case "RUN":
                run(stage, rest, bind)
            case "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    stage.env[name] = value.replace("$PATH", stage.env["PATH"])
            case "USER":
                stage.user = rest
            case "VOLUME":
                stage.volumes.append(rest)
            case "HEALTHCHECK":
                stage.health = json.loads(rest.partition("CMD")[2])
            case "CMD":
                stage.command = json.loads(rest)
            case _:
                raise ValueError(f"the Dockerfile says {word}, which is not known here")
    return stage


def base(folder: Path) -> Path:
    """A Debian with Python and nothing else."""
    root = folder / "base"
    if not root.exists():
        made = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return root


def copy(rest: str, stage: Stage, stages: dict[str, Stage]) -> None:
    """COPY of one source, from another stage or from the project."""
    words = rest.split()
    source, target = words[-2:]
    to = stage.root / target.lstrip("/") if target[0] == "/" else inside(stage, target)
    if words[0].startswith("--from="):
        origin = stages[words[0].removeprefix("--from=")].root / source.lstrip("/")
        subprocess.run(["cp", "-a", origin, to], check=True)
    elif (ROOT / source).is_file():
        shutil.copy(ROOT / source, to)
    else:
        left_out = [line for line in (ROOT / ".dockerignore").read_text().splitlines()
                    if line and line[0] != "#"]  # fmt: skip
        shutil.copytree(ROOT, to, ignore=ignored(left_out), dirs_exist_ok=True)


def ignored(patterns: list[str]):
    """What .dockerignore leaves out, as ``shutil.copytree`` asks for it."""

    def leave_out(folder: str, names: list[str]) -> list[str]:
        below = Path(folder).relative_to(ROOT)
        return [
            name
            for name in names
            if any(
                name == pattern[3:]
                if pattern[:3] == "**/"
                else fnmatch.fnmatch(str(below / name), pattern)
                for pattern in patterns
            )
        ]

    return leave_out


def inside(stage: Stage, path: str) -> Path:
    """A path of the stage, as this machine sees it."""
    return stage.root / stage.workdir.lstrip("/") / path


def run(stage: Stage, command: str, bind: list[Path]) -> None:
    """RUN, as root, with what of this machine is to be seen."""
    shutil.copy("/etc/resolv.conf", stage.root / "etc/resolv.conf")
    mounts = []
    for path in bind:
        there = stage.root / str(path).lstrip("/")
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
        mounts.append(f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(there))}")
    script = f"cd {stage.workdir} && {command}"
    env = stage.env | {name: value for name, value in os.environ.items()
                       if name.startswith(("PIP_", "http_", "https_", "no_"))}  # fmt: skip
    mounts.append(f"exec chroot {shlex.quote(str(stage.root))} /bin/sh -c {shlex.quote(script)}")
    subprocess.run(["unshare", "-m", "sh", "-c", " && ".join(mounts)], check=True, env=env)


def started(stage: Stage, command: list[str], volumes: dict[str, Path]) -> list[str]:
    """The command line that runs something in the finished root, as compose.yaml has it."""
    root, user = shlex.quote(str(stage.root)), stage.user
    lines = [
        f"mount --bind {root} {root}",
        f"mount -o remount,bind,ro {root}",
        f"mount -t tmpfs tmpfs {root}/tmp",
        f"mount -t proc proc {root}/proc",
        *(f"mount --bind {shlex.quote(str(path))} {root}{name}" for name, path in volumes.items()),
    ]
    rights = ["--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs",
              "--bounding-set=-all", "--inh-caps=-all"]  # fmt: skip
    inner = ["setpriv", *rights, "sh", "-c", f"cd {stage.workdir} && exec {shlex.join(command)}"]
    lines.append(f"exec chroot {root} {shlex.join(inner)}")
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", " && ".join(lines)]


def try_out(stage: Stage, data: Path | None) -> list[str]:
    """Start what was built, visit it, train on it; return what is wrong."""
    wrong = []
    volumes = {}
    for name in stage.volumes:
        volumes[name] = stage.root.parent / f"volume{name.replace('/', '-')}"
        shutil.rmtree(volumes[name], ignore_errors=True)
        # As an engine fills a new volume: with what is in the image, and whose it is.
        subprocess.run(["cp", "-a", f"{stage.root}{name}", volumes[name]], check=True)
    if data is not None:
        (volumes["/runs"] / "data").mkdir()
        shutil.copy(data / "mnist.npz", volumes["/runs"] / "data")
        stage.env["DENOISE_DATA_DIR"] = "/runs/data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    before = time.time()
    command = [word.replace("8501", port) for word in stage.command]
    health = [word.replace("8501", port) for word in stage.health]
    log = stage.root.parent / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            started(stage, command, volumes),
            env=stage.env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        began = time.monotonic()
        while subprocess.run(started(stage, health, volumes), env=stage.env, check=False,
                             capture_output=True).returncode:  # fmt: skip
            if time.monotonic() - began > PATIENCE or server.poll() is not None:
                return ["the health check was never answered", log.read_text()[-2000:]]
            time.sleep(0.2)
        print(f"health check answered after {time.monotonic() - began:.1f} s")
        said = Path(f"/proc/{server.pid}/status").read_text()
        rights = {name: value.split()[0] for name, _, value in
                  (line.partition(":") for line in said.splitlines()) if value.strip()}  # fmt: skip
        print(f"user {rights['Uid']}, capabilities {rights['CapBnd']}, "
              f"no new privileges {rights['NoNewPrivs']}")  # fmt: skip
        if rights["Uid"] == "0" or int(rights["CapBnd"], 16) or rights["NoNewPrivs"] != "1":
            wrong.append("the server has rights that it does not need")
        wrong += asyncio.run(visit(f"http://127.0.0.1:{port}", volumes["/runs"], data is not None))
        if "Traceback" in log.read_text():
            wrong.append(log.read_text()[-2000:])
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    written = [
        str(path)
        for path in stage.root.rglob("*")
        if not path.is_symlink() and path.is_file() and path.stat().st_mtime > before
    ]
    return wrong + [f"written to, though read-only: {path}" for path in written]


async def visit(url: str, runs: Path, train: bool) -> list[str]:
    """Open every page, move its slider, train the smallest network for one epoch."""
    wrong = []
    for page, key in PAGES.items():
        visitor = Visitor(url, page)
        answers = [await visitor.open()]
        if key:
            slider = visitor.control(key).message
            answers.append(await visitor.move(key, [(slider.min + slider.max) / 2]))
        print(f"/{page}: {', '.join(f'{answer.seconds:.2f} s' for answer in answers)}")
        wrong += [f"/{page}: {error}" for answer in answers for error in answer.errors]
        await visitor.close()
    if train:
        visitor = Visitor(url, "train")
        await visitor.open()
        await visitor.tell("visitor", token=TOKEN)
        await visitor.move("Epochs", [1.0])
        began = time.monotonic()
        await visitor.press("Train")
        while not (finished := list(runs.glob("*/model.onnx"))):
            if time.monotonic() - began > 5 * PATIENCE:
                return [
                    *wrong,
                    "the training did not end: "
                    + "".join(path.read_text()[-1000:] for path in runs.glob("*/worker.log")),
                ]
            await asyncio.sleep(0.5)
        print(f"one epoch trained and exported in {time.monotonic() - began:.0f} s: {finished[0]}")
        await visitor.close()
    return wrong


def main() -> int:
    """Build, try out, and say what is wrong; the exit status is 1 where something is."""
    parser = argparse.ArgumentParser(prog="python -m tests.bare_root", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the roots are made; 5 GB")
    parser.add_argument("--bind", type=Path, action="append", default=[])
    parser.add_argument("--built", action="store_true", help="only try out what was built before")
    parser.add_argument("--data", type=Path, help="a folder with mnist.npz, to train as well")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("Only root can change roots.")
    options.folder.mkdir(parents=True, exist_ok=True)
    wrong = try_out(build(options.folder, options.bind, options.built), options.data)
    print("\n".join(wrong) or "nothing is wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
