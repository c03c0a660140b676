"""Links that were once copied open as they did on that day: names, values and what they mean.

A link outlives every version of the program.  Nothing below is ever changed, only added to; what
a setting is called inside the program is in ``STORED`` alone.
"""

from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

PAGES = Path(__file__).parents[2] / "pages"

# What each page shows on arrival, by the names that links use.
DRAW = {
    "source": "digit",
    "start": "3",
    "sample": "letter-a",
    "noise": "gaussian",
    "strength": 0.5,
    "seed": 0,
    "model": "unet",
    "drawing": None,
}
PHOTO = {
    "photo_source": "sample",
    "photo_sample": "cat",
    "photo_task": "add",
    "photo_noise": "gaussian",
    "photo_strength": 25.0,
    "photo_seed": 0,
    "photo_method": "photo",
    "photo_own_level": False,
    "photo_level": 25.0,
    "photo_brightness": 100,
    "photo_colour": 100,
}
INSIDE = {
    "inside": "layers",
    "inside_scale": "layer",
    "window_kind": "convolution",
    "window_filter": 8,
    "window_row": 8,
    "window_column": 12,
    "skips_on": ["skip_1", "skip_2", "skip_3"],
    "inside_digit": "3",
    "inside_drawing": None,
    "inside_noise": "gaussian",
    "inside_strength": 0.5,
    "inside_seed": 0,
    "inside_model": "unet",
    "code_values": None,
    "code_goal": "4",
    "code_map": "tsne",
    "pca_width": 8,
    "anomaly_picture": "cat",
    "anomaly_detector": "dense-16",
    "anomaly_kind": "letters",
    "anomaly_allowed": 0.05,
}
COMPARE = {
    "compare": "measured",
    "measured_on": "mnist",
    "measured_by": "psnr",
    "measured_noise": "gaussian",
    "measured_at": 0.5,
    "highlight": "unet",
    "table_families": [],
    "table_noises": [],
    "blind_seed": 1,
    "trust_digit": "3",
    "trust_noise": "gaussian",
    "trust_strength": 0.5,
    "trust_seed": 0,
    "trust_model": "unet",
    "trust_drawing": None,
}
ARRIVAL = {"draw": DRAW, "photo": PHOTO, "inside": INSIDE, "compare": COMPARE}


def stored(page: str, name: str) -> str:
    """The key under which the session keeps what a link calls ``name``."""
    return f"draw_{name}" if page == "draw" else name


# Two grey columns, as the program wrote them.
DRAWING = "eNpjYBgo8B9CNYzKjcoRI0cfAAAI0h3t"
COLUMNS = np.zeros((28, 28, 1), np.float32)
COLUMNS[4:24, 10] = 1
COLUMNS[4:24, 17] = np.float32(128 / 255)
CODE = "1.5_5.0_2.0_-4.3_-1.0_2.5_3.0_-2.3_-2.5_-2.2"

# Page, link, and the settings that it changes.
GOLDEN = {
    "a digit with heavy noise": (
        "draw",
        "start=7&noise=gaussian&strength=0.85&seed=42",
        {"start": "7", "strength": 0.85, "seed": 42},
    ),
    "another noise at its own strength": (
        "draw",
        "noise=salt-and-pepper",
        {"noise": "salt-and-pepper", "strength": 0.3},
    ),
    "no digit, by a filter": (
        "draw",
        "source=other&sample=smiley&model=total-variation",
        {"source": "other", "sample": "smiley", "model": "total-variation"},
    ),
    "nothing but noise": (
        "draw",
        "source=nothing&noise=poisson&strength=0.35",
        {"source": "nothing", "noise": "poisson", "strength": 0.35},
    ),
    "somebody's drawing": (
        "draw",
        f"drawing={DRAWING}&noise=block&model=conv-32-32",
        {"drawing": COLUMNS, "noise": "block", "strength": 0.4, "model": "conv-32-32"},
    ),
    "an empty canvas": ("draw", "start=blank&seed=3", {"start": "blank", "seed": 3}),
    "a photo and a filter": (
        "photo",
        "photo_sample=cameraman&photo_noise=speckle&photo_strength=0.4&photo_seed=7"
        "&photo_method=median",
        {
            "photo_sample": "cameraman",
            "photo_noise": "speckle",
            "photo_strength": 0.4,
            "photo_seed": 7,
            "photo_method": "median",
        },
    ),
    "a photo that is noisy by itself": (
        "photo",
        "photo_sample=galaxies&photo_task=noisy&photo_method=gaussian",
        {"photo_sample": "galaxies", "photo_task": "noisy", "photo_method": "gaussian"},
    ),
    "a level of one's own": (
        "photo",
        "photo_own_level=True&photo_level=12.5&photo_method=median&photo_strength=50",
        {
            "photo_own_level": True,
            "photo_level": 12.5,
            "photo_method": "median",
            "photo_strength": 50.0,
        },
    ),
    "half of the denoising": (
        "photo",
        "photo_noise=jpeg&photo_method=shifted-blocks&photo_brightness=50&photo_colour=75",
        {
            "photo_noise": "jpeg",
            "photo_strength": 80.0,
            "photo_method": "shifted-blocks",
            "photo_brightness": 50,
            "photo_colour": 75,
        },
    ),
    "a place for somebody's own photo": (
        "photo",
        "photo_source=upload&photo_method=wavelet",
        {"photo_source": "upload", "photo_method": "wavelet"},
    ),
    "the layers of a network": (
        "inside",
        "inside_model=conv-32-32&inside_layer=encoder_conv_2&inside_scale=global&inside_digit=8"
        "&inside_noise=uniform&inside_strength=0.6&inside_seed=9",
        {
            "inside_model": "conv-32-32",
            "inside_layer": "encoder_conv_2",
            "inside_scale": "global",
            "inside_digit": "8",
            "inside_noise": "uniform",
            "inside_strength": 0.6,
            "inside_seed": 9,
        },
    ),
    "one window": (
        "inside",
        "inside=window&window_kind=pooling&window_filter=2&window_row=3&window_column=4",
        {
            "inside": "window",
            "window_kind": "pooling",
            "window_filter": 2,
            "window_row": 3,
            "window_column": 4,
        },
    ),
    "another noise, at the strength on arrival": (
        "inside",
        "inside_noise=block",
        {"inside_noise": "block", "inside_strength": 0.5},
    ),
    "skip connections, one of them off": (
        "inside",
        "inside=skips&skips_on=skip_1 skip_3",
        {"inside": "skips", "skips_on": ["skip_1", "skip_3"]},
    ),
    "skip connections, all of them off": (
        "inside",
        f"inside=skips&skips_on=none&inside_digit=drawing&inside_drawing={DRAWING}",
        {"inside": "skips", "skips_on": [], "inside_digit": "drawing", "inside_drawing": COLUMNS},
    ),
    "a code": (
        "inside",
        f"inside=code&code_values={CODE}&code_goal=9&code_map=pca",
        {"inside": "code", "code_values": CODE, "code_goal": "9", "code_map": "pca"},
    ),
    "an anomaly": (
        "inside",
        "inside=anomaly&anomaly_picture=boot&anomaly_detector=brightness&anomaly_kind=clothes"
        "&anomaly_allowed=0.01&pca_width=16",
        {
            "inside": "anomaly",
            "anomaly_picture": "boot",
            "anomaly_detector": "brightness",
            "anomaly_kind": "clothes",
            "anomaly_allowed": 0.01,
            "pca_width": 16,
        },
    ),
    "measurements on photos": (
        "compare",
        "measured_on=kodak24&measured_by=ssim&measured_noise=gaussian, unclipped"
        "&measured_at=0.098039&highlight=photo&table_families=network;filter"
        "&table_noises=gaussian, unclipped;jpeg",
        {
            "measured_on": "kodak24",
            "measured_by": "ssim",
            "measured_noise": "gaussian, unclipped",
            "measured_at": 0.098039,
            "highlight": "photo",
            "table_families": ["network", "filter"],
            "table_noises": ["gaussian, unclipped", "jpeg"],
        },
    ),
    "a blind test": (
        "compare",
        "compare=blind&blind_seed=17",
        {"compare": "blind", "blind_seed": 17},
    ),
    "a trust map of another noise, at the strength on arrival": (
        "compare",
        "compare=trust&trust_noise=block",
        {"compare": "trust", "trust_noise": "block", "trust_strength": 0.5},
    ),
    "a trust map": (
        "compare",
        f"compare=trust&trust_digit=drawing&trust_drawing={DRAWING}&trust_noise=masking"
        "&trust_strength=0.7&trust_seed=4&trust_model=median",
        {
            "compare": "trust",
            "trust_digit": "drawing",
            "trust_drawing": COLUMNS,
            "trust_noise": "masking",
            "trust_strength": 0.7,
            "trust_seed": 4,
            "trust_model": "median",
        },
    ),
}


def opened(page: str, address: str) -> AppTest:
    """The page in a new session, opened by this link."""
    app = AppTest.from_file(str(PAGES / f"{page}.py"), default_timeout=120)
    app.query_params.update(dict(parse_qsl(address)))
    return app.run()


def settings(app: AppTest, page: str, names: dict) -> dict[str, object]:
    state = app.session_state
    return {name: state[stored(page, name)] for name in names}


def same(one: object, other: object) -> bool:
    """Whether two settings are the same, drawings to the last bit."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return one == other and type(one) is type(other)


@pytest.mark.parametrize(("page", "address", "changes"), GOLDEN.values(), ids=GOLDEN)
def test_a_link_opens_exactly_the_settings_that_it_means(page, address, changes):
    app = opened(page, address)
    assert not app.exception
    assert not [box.value for box in app.warning if "link" in box.value]
    expected = ARRIVAL[page] | changes
    found = settings(app, page, expected)
    assert {name: found[name] for name in expected if not same(found[name], expected[name])} == {}


@pytest.mark.parametrize(("page", "address", "changes"), GOLDEN.values(), ids=GOLDEN)
def test_a_page_opened_by_a_link_writes_a_link_that_opens_the_same(page, address, changes):
    written = dict(opened(page, address).query_params)
    again = opened(page, "&".join(f"{name}={value}" for name, value in written.items()))
    expected = ARRIVAL[page] | changes
    found = settings(again, page, expected)
    assert {name: found[name] for name in expected if not same(found[name], expected[name])} == {}


@pytest.mark.parametrize("page", ARRIVAL)
def test_without_a_link_a_page_shows_its_arrival_and_writes_nothing(page):
    app = opened(page, "")
    found, expected = settings(app, page, ARRIVAL[page]), ARRIVAL[page]
    assert {name: found[name] for name in expected if not same(found[name], expected[name])} == {}
    assert dict(app.query_params) == {}
