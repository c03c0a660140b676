"""Start `streamlit run` as a visitor's machine would, and stop it again."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class AppServer:
    """One running Streamlit server; ``url`` has no trailing slash.

    The server runs with the project's own configuration on a free port and writes what it
    says to ``log``.
    """

    def __init__(self, script: Path, log: Path, port: int | None = None, **env: str):
        """Start the server; ``env`` is added to the environment it inherits."""
        if port is None:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", str(script)),
                    *("--server.address", "127.0.0.1", "--server.port", str(port)),
                    *("--server.headless", "true", "--server.fileWatcherType", "none"),
                    *("--client.showErrorDetails", "full"),
                ],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **env},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that serves, without any that it started."""
        return self._process.pid

    def wait_until_healthy(self, timeout: float = 60) -> None:
        """Return when the server answers.

        Raises:
            RuntimeError: if it ends or stays silent; the message carries its log.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"the server ended with status {self._process.returncode}:\n{self.tail()}"
                )
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the server was silent for {timeout:g} s:\n{self.tail()}")

    def tail(self, lines: int = 60) -> str:
        """The last lines of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End the server and every process it started."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, how)
            except ProcessLookupError:
                break
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
