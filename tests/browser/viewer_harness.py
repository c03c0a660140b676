"""A page that holds nothing but the comparison viewer, for its tests.

``?what=`` chooses the pictures: digit, crop, photo, large, tall, six or markup.  ``?classes=``
says that the pictures have some, ``?missing=`` that the first ones were sent before and are not.
"""

import numpy as np
import streamlit as st

from pages.components.component import is_blocked
from pages.components.viewer import Classes, _versions, compare, to_bytes

MARKUP = '<img src="x" onerror="window.broken = true"><b>Bold</b>'


def digit(seed: int) -> dict[str, np.ndarray]:
    """Three grey pictures of 28 by 28 pixels; the noise depends on the seed."""
    clean = np.zeros((28, 28, 1), np.float32)
    clean[5:24, 12:16] = 1
    clean[5:9, 8:20] = 0.7
    return _corrupted(clean, seed, 0.3)


def photo(seed: int, height: int = 480, width: int = 720) -> dict[str, np.ndarray]:
    """Three pictures of smooth colours of this size; the noise depends on the seed."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.stack([np.sin(x / 40), np.cos(y / 30), np.sin((x + y) / 60)], axis=-1)
    return _corrupted(0.5 + 0.4 * waves, seed, 0.15)


def classes(images: dict[str, np.ndarray]) -> Classes:
    """Sky above road in the second picture, a corner of neither; all road in the third."""
    _, second, third = images
    height, width = images[second].shape[:2]
    sky_above = np.zeros((height, width), np.uint8)
    sky_above[height // 2 :] = 1
    sky_above[:4, :4] = 255
    return Classes(["sky", "road"], {second: sky_above, third: np.ones_like(sky_above)})


def _corrupted(clean: np.ndarray, seed: int, spread: float) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(seed).normal(0, spread, clean.shape).astype(np.float32)
    noisy = np.clip(clean + noise, 0, 1)
    return {"Original": clean, "Noisy": noisy, "Denoised": 0.8 * clean + 0.2 * noisy}


def pictures(what: str, seed: int) -> dict[str, np.ndarray]:
    """The pictures that the page shows for ``?what=`` and the slider at ``seed``."""
    if what == "crop":
        return photo(seed, 40, 56)
    if what == "photo":
        return photo(seed)
    if what == "large":
        return photo(seed, 1000, 1600)
    if what == "tall":
        return photo(seed, 900, 500)
    if what == "six":
        more = {f"Denoised again {i}": digit(seed + i)["Denoised"] for i in range(1, 4)}
        return digit(seed) | more
    if what == "markup":
        return dict(zip([MARKUP, "Noisy", "Denoised"], digit(seed).values(), strict=True))
    return digit(seed)


@st.fragment
def _show(what: str) -> None:
    seed = st.slider("Seed", 0, 20, 1)
    captions = {"Noisy": "PSNR 11.0 dB · reads 7 (61 %)", "Denoised": f"seed {seed}"}
    if what == "markup":
        captions[MARKUP] = MARKUP
    if st.toggle("Viewer", value=True):
        alt = {"Noisy": "A T with noise"}
        images = pictures(what, seed)
        named = classes(images) if "classes" in st.query_params else None
        # Below tests/ no files are served: the viewer begins once it has said so.
        if "missing" in st.query_params and is_blocked() and "missing" not in st.session_state:
            st.session_state["missing"] = True
            st.session_state["viewer_sent"] = _versions(to_bytes(images))
        compare(images, key="viewer", captions=captions, alt=alt, classes=named)


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    _show(st.query_params.get("what", "digit"))
    st.write("Below the viewer")
