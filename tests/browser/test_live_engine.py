"""The engine of the live preview in a page of its own: the same answers as the server's."""

import base64
import gzip
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route
from scipy.special import ndtr

from imaging.noise import NOISE_KINDS
from models.catalogue import find_card, load_catalogue
from models.inspection.network import OpenedNetwork, load_inside
from models.live import STATIC, pack, packed_name
from models.predictor import load_predictor
from models.tasks.digits import DIGIT_SETS
from pages.components.controls import ready_digit
from tests.train.foreign_networks import NETWORKS
from train.brought import check
from train.export.onnx_constants import open_bytes

CARDS = [card for card in load_catalogue().values() if card.data in DIGIT_SETS]
DENOISERS = [card.name for card in CARDS if card.task != "read-digits"]
KINDS = [kind for kind in NOISE_KINDS.values() if kind.pattern is not None]
SHARES = (0.1, 0.4, 0.7, 1)  # Of the slider.
DIGIT = ready_digit("3")
TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".gz": "application/gzip"}

PREPARE = """
async () => {
    const { Network } = await import('/network.js');
    const noise = await import('/noise.js');
    const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
    const kernel = await WebAssembly.compile(await bytes('/kernel.wasm'));
    const unzip = (file) => new Response(
        new Blob([file]).stream().pipeThrough(new DecompressionStream('gzip')));
    window.load = async (name) => {
        const file = await unzip(await bytes(name)).arrayBuffer();
        window.network = new Network(new Uint8Array(file), kernel);
    };
    const from64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
    const to64 = (values) => {
        let text = '';
        for (const b of new Uint8Array(values.buffer)) text += String.fromCharCode(b);
        return btoa(text);
    };
    window.run = (values, options) => to64(network.run(new Float32Array(from64(values)), options));
    window.values = (name) => to64(network.values(name));
    window.corrupt = (kind, image, strength, numbers, type, quantiles) => {
        const types = { float32: Float32Array, float64: Float64Array };
        const pattern = {
            numbers: new types[type](from64(numbers)),
            quantiles: new Float64Array(from64(quantiles)),
            height: 28,
            width: 28,
        };
        return to64(noise.apply[kind](new Float32Array(from64(image)), strength, pattern));
    };
}
"""


def text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def numbers(answer: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(answer), np.float32)


def _serve(route: Route) -> None:
    name = route.request.url.rpartition("/")[2]
    if not name:
        route.fulfill(body="<!doctype html><title>Engine</title>", content_type="text/html")
        return
    path = STATIC / name
    body = gzip.compress(pack(brought(path.stem))) if path.stem in NETWORKS else path.read_bytes()
    route.fulfill(body=body, content_type=TYPES[path.suffix])


def brought(name: str) -> OpenedNetwork:
    """A network that a visitor has brought, as the app opens it."""
    return OpenedNetwork(open_bytes(check(NETWORKS[name]().SerializeToString()).content))


@pytest.fixture(scope="module")
def engine(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.route("**/*", _serve)
    page.goto("http://engine.test/")
    page.evaluate(PREPARE)
    yield page
    page.close()


@pytest.fixture
def run(engine: Page) -> Callable[..., np.ndarray]:
    """``run(name, picture, **options)`` returns the answer of a packed network."""

    def answer(name: str, picture: np.ndarray, **options) -> np.ndarray:
        engine.evaluate("name => load(name)", packed_name(find_card(name)))
        given = [text(picture.astype(np.float32)), options]
        return numbers(engine.evaluate("([values, options]) => run(values, options)", given))

    return answer


def corrupted(engine: Page, kind: str, clean: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """The noisy picture as the browser makes it."""
    pattern = NOISE_KINDS[kind].pattern(clean.shape, np.random.default_rng(seed))
    # Only photons need it; for the others it is ignored.
    quantiles = ndtr(pattern.astype(np.float64))
    given = [kind, text(clean), strength, text(pattern), str(pattern.dtype), text(quantiles)]
    return numbers(engine.evaluate("given => corrupt(...given)", given)).reshape(clean.shape)


def levels(picture: np.ndarray) -> np.ndarray:
    return np.rint(255 * picture).astype(int)


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_noise_is_bit_for_bit_that_of_the_server(engine, kind):
    ramp = np.linspace(0, 1, 784, dtype=np.float32).reshape(28, 28, 1)
    for clean in (DIGIT, ramp):
        for seed, strength in enumerate(np.linspace(0, NOISE_KINDS[kind].high, 23).tolist()):
            expected = NOISE_KINDS[kind].corrupt(clean, strength, np.random.default_rng(seed))
            got = corrupted(engine, kind, clean, strength, seed)
            np.testing.assert_array_equal(got, expected, err_msg=f"{kind} {strength}")


@pytest.mark.parametrize("name", DENOISERS)
def test_the_answer_is_never_more_than_one_grey_level_off_the_servers(engine, run, name):
    denoiser = load_predictor(find_card(name))
    for kind in KINDS:
        for share in SHARES:
            rng = np.random.default_rng(5)
            noisy = np.clip(kind.corrupt(DIGIT, share * kind.high, rng), 0, 1)
            expected = denoiser.predict(noisy, None)
            got = run(name, noisy).reshape(28, 28, 1)
            off = np.abs(levels(got) - levels(expected)).max()
            assert off <= 1, f"{kind.name} {share}: {off} levels"


@pytest.mark.parametrize("name", ["pytorch_unet", "keras_dense", "pytorch_dense"])
def test_a_network_that_a_visitor_brings_answers_as_on_the_server(engine, name):
    engine.evaluate("name => load(name)", f"{name}.gz")
    rng = np.random.default_rng(5)
    for _ in range(5):
        noisy = rng.random((28, 28, 1)).astype(np.float32)
        expected = brought(name).denoise(noisy[np.newaxis])[0]
        answer = engine.evaluate("([values, options]) => run(values, options)", [text(noisy), {}])
        # The page clips what comes out.
        got = np.clip(numbers(answer), 0, 1).reshape(28, 28, 1)
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_digit_reader_reads_alike(run):
    reader = load_predictor(find_card("digit-reader"))
    rng = np.random.default_rng(5)
    for digit in "0123456789":
        noisy = np.clip(NOISE_KINDS["gaussian"].corrupt(ready_digit(digit), 0.4, rng), 0, 1)
        expected = reader.predict_batch(noisy[np.newaxis])[0]
        # Half precision has 11 bits: what is shown, a whole percentage, may be one off.
        np.testing.assert_allclose(run("digit-reader", noisy), expected, atol=0.005)


def test_a_decoder_runs_alone(run):
    network = load_inside(find_card("conv-code-10"))
    code = np.random.default_rng(3).normal(0, 3, (1, 10)).astype(np.float32)
    got = run("conv-code-10", code, start="code")
    np.testing.assert_allclose(got, network.decode(code).ravel(), atol=1e-5)


def test_a_skip_connection_can_be_cut(run):
    network = load_inside(find_card("unet"))
    noisy = np.clip(NOISE_KINDS["gaussian"].corrupt(DIGIT, 0.5, np.random.default_rng(1)), 0, 1)
    for skips in ({"skip_1": 0}, {"skip_3": 0.5, "skip_2": 0}, {}):
        expected = network.denoise(noisy[np.newaxis], skips).ravel()
        np.testing.assert_allclose(run("unet", noisy, skips=skips), expected, atol=1 / 255)


def test_the_maps_of_a_layer_can_be_read(engine, run):
    network = load_inside(find_card("conv-32-32"))
    run("conv-32-32", DIGIT)
    for layer in ("encoder_conv_1", "encoder_pool_2", "decoder_upsample_1"):
        got = numbers(engine.evaluate("name => values(name)", layer))
        expected = network.feature_maps(DIGIT[np.newaxis], [layer])[layer].ravel()
        np.testing.assert_allclose(got, expected, atol=1e-5)
