"""Build static/live/kernel.wasm from its text: `python -m tests.wasm`."""

from pathlib import Path

from wasmtime import wat2wasm

KERNEL = Path(__file__).resolve().parents[1] / "static" / "live" / "kernel.wat"


def build(text: Path = KERNEL) -> bytes:
    """Return the WebAssembly module that this text says."""
    return bytes(wat2wasm(text.read_text(encoding="utf-8")))


if __name__ == "__main__":
    KERNEL.with_suffix(".wasm").write_bytes(build())
