"""The only place that keeps things between visitors: models, which hold no state, and the queue.

Entries are keyed by the hash of the weights, so that a model that was replaced on disk is
loaded again.  A failure is not kept: the next visitor tries again.

Any browser can ask Streamlit to clear its caches, for everybody.  They hold only what can be loaded
again; what visitors have brought is not in them.
"""

import atexit
import functools
import gc
import gzip
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from models.catalogue import Card, ModelError, read_card, read_catalogue
from models.host import Room, each_minute
from models.inspection.network import OpenedNetwork, load_inside
from models.live import pack_card
from models.picture_queue import PictureQueue
from models.predictor import Predictor, load_predictor
from models.session import open_session, skips_of
from models.studies import anomaly, autoencoders, codes, pixel_order, storage
from models.tasks.contract import Network
from models.tasks.denoise_photos.level import PART
from pages.components.picture_cache import (
    COMFORT,
    Owner,
    PictureCache,
    clear_left_over,
)
from pages.components.sending.uploads import release_given_up
from pages.components.tabs import KEPT_UNUSED as UPLOADS_KEPT
from pages.components.tabs import Tabs
from pages.components.thumbnails import make_thumbnails

if TYPE_CHECKING:  # Whoever loads it first is the package of models, which says something to it.
    from onnxruntime import InferenceSession

UPLOADS_LIMIT = 150_000_000  # bytes
ZIPS_LIMIT = 110_000_000  # bytes: five photos of 12 megapixels
ROOM = 80_000_000  # bytes: pages that show two pictures of a megapixel, or one of twelve
BROUGHT_LIMIT = 40_000_000  # Bytes of files; loaded, a network takes a few times as much.

_queue = PictureQueue()
atexit.register(_queue.close)
_room = Room(ROOM)
_pictures = PictureCache(comfort=COMFORT)
_zips = PictureCache(ZIPS_LIMIT, UPLOADS_KEPT, comfort=0, few=1)
_uploads = PictureCache(UPLOADS_LIMIT, UPLOADS_KEPT)
_brought = PictureCache(BROUGHT_LIMIT, UPLOADS_KEPT)
_tabs = Tabs()


def forget_unused() -> None:
    """Forget what visitors have brought and what was made of it, where it was not used for long."""
    for kept in (_tabs, _uploads, _pictures, _zips, _brought):
        kept.forget_unused()
    _unload_deleted()
    release_given_up()
    clear_left_over()


each_minute(forget_unused)

# The SHA-256 of networks that visitors had brought and that are deleted, but may be loaded.
deleted_networks: deque[str] = deque()


@functools.cache
def spare_what_is_loaded() -> None:
    """Once a process, keep the collection of garbage from walking through all libraries.

    There is none after a run (``runner.postScriptGC``): Python's own, when there is much, and one a
    minute (``tidy_up_soon``).
    """
    gc.collect()
    gc.freeze()


@st.cache_resource(ttl=30, max_entries=1, show_spinner=False)
def get_catalogue() -> tuple[dict[str, Card], list[str]]:
    """Return the usable cards by name, best first, and a sentence for each broken one."""
    return read_catalogue()


def get_cards() -> tuple[dict[str, Card], list[str]]:
    """Return this visitor's cards: those of their own trained networks, then the catalogue's."""
    cards, problems = get_catalogue()
    own = {}
    get_brought().forget_unused()
    _unload_deleted()
    for folder in st.session_state.get("user_models", []):
        is_brought(folder)  # Kept for another hour from now.
        try:
            own[folder.name] = read_card(folder)
        except ModelError:
            continue  # The run was deleted, or is being trained again; or its hour is over.
    return own | cards, problems


def first_for_all(names: Sequence[str]) -> str:
    """Return the first name of a network that everybody has, or else the first.

    What a link leaves out is to mean the same for whoever opens it.
    """
    return next((name for name in names if name in get_catalogue()[0]), names[0])


def get_card(name: str) -> Card:
    """Return the card of a model that comes with the program; raises ``ModelError``."""
    try:
        return get_catalogue()[0][name]
    except KeyError:
        raise ModelError(f"The model {name} is missing.") from None


def get_predictor(card: Card) -> Predictor:
    """Return the loaded network of a card; raise ``ModelError`` where it cannot be had."""
    return _predictor(_all_weights(card), card)


def get_cut_predictor(card: Card, without: tuple[str, ...]) -> Predictor:
    """Return the network of a card without these skip connections; errors as above."""
    return _cut_predictor(_all_weights(card), without, card)


def _all_weights(card: Card) -> str:
    """What differs where any file of a network does: the SHA-256 alone where it has one file."""
    return "+".join((card.sha256, *card.parts.values()))


def get_level_network() -> Network | None:
    """Return the network that reads the noise level of photos, None where it cannot be had."""
    cards, _ = get_cards()
    with suppress(ModelError):
        for card in cards.values():
            if PART in card.parts:
                return get_predictor(card).network
    return None


@st.cache_resource(max_entries=4, show_spinner=False)
def get_measured(part: str) -> dict:
    """Return what ``train lab`` measured for this part; raises ``ModelError``."""
    return storage.read_measured(part)


@st.cache_resource(max_entries=1, show_spinner=False)
def get_autoencoders() -> tuple[dict[int, storage.DenseNetwork], autoencoders.Pca]:
    """Return the dense autoencoders by hidden units, and PCA; raises ``ModelError``."""
    return autoencoders.read_autoencoders()


@st.cache_resource(max_entries=1, show_spinner=False)
def get_order() -> pixel_order.Order:
    """Return the denoisers for digits in order and shuffled; raises ``ModelError``."""
    return pixel_order.read_order()


@st.cache_resource(max_entries=1, show_spinner=False)
def get_code_map() -> codes.CodeMap:
    """Return the codes of test digits with their maps; raises ``ModelError``."""
    return codes.read_codes()


@st.cache_resource(max_entries=1, show_spinner=False)
def get_scores() -> dict[str, dict[str, np.ndarray]]:
    """Return what detectors score pictures, by detector and kind; raises ``ModelError``."""
    return anomaly.read_scores()


def get_thumbnails(card: Card, method: str) -> dict[int, str]:
    """Return the pictures on the map "pca" or "tsne" as URLs by code; raises ``ModelError``."""
    return _thumbnails(card.sha256, method, card)


def get_packed(card: Card) -> bytes | None:
    """Return the network of a card as the live preview loads it, None where that cannot be."""
    try:
        return _packed(card.sha256, card)
    except (ModelError, ValueError):
        return None


def get_inside(card: Card) -> OpenedNetwork:
    """Return the network of a card, opened; raise ``ModelError`` where that cannot be done."""
    return _inside(card.sha256, card)


def get_picture_queue() -> PictureQueue:
    """Return the queue for long work, one for all visitors; it is closed when the server ends."""
    return _queue


def get_picture_room() -> Room:
    """Return the room for pictures that pages work on, one for all visitors.

    Each page that waits for its answer holds its picture: those of a class would not fit.
    """
    return _room


def get_picture_cache() -> PictureCache:
    """Return the pictures in work, within one limit for all visitors."""
    return _pictures


def get_zips() -> PictureCache:
    """Return the ZIPs of pictures, the last of each visitor, within one limit for all of them."""
    return _zips


def get_uploads() -> PictureCache:
    """Return the files that visitors have brought, within one limit for all of them."""
    return _uploads


def get_brought() -> PictureCache:
    """Return the networks that visitors have brought, within one limit for all of them."""
    return _brought


def get_tabs() -> Tabs:
    """Return the tabs of all visitors' browsers."""
    return _tabs


def brought_owner() -> Owner:
    """Return what stands for this visitor as the owner of networks that were brought."""
    return st.session_state.setdefault("brought_owner", Owner())


def is_brought(folder: Path) -> bool:
    """Whether a folder is that of a network this visitor has brought; asking counts as using it."""
    return get_brought().get(brought_owner(), folder.name) is not None


def _unload_deleted() -> None:
    """Give up what is loaded of networks that visitors brought and that were deleted since."""
    while True:
        try:
            sha256 = deleted_networks.popleft()
        except IndexError:  # Another thread may have taken the last one.
            return
        for loaded in (_network, _predictor, _inside, _packed):
            loaded.clear(sha256, None)


@st.cache_resource(max_entries=32, show_spinner=False)
def _network(sha256: str, _card: Card) -> "InferenceSession":
    """The opened file, which all that run the network share."""
    return open_session(_card)


@st.cache_resource(max_entries=32, show_spinner=False)
def _predictor(weights: str, _card: Card) -> Predictor:
    return load_predictor(_card, _network(_card.sha256, _card))


@st.cache_resource(max_entries=2, show_spinner=False)
def _cut_predictor(weights: str, without: tuple[str, ...], _card: Card) -> Predictor:
    skips = skips_of(_network(_card.sha256, _card))
    return load_predictor(_card, open_session(_card, {name: skips[name] for name in without}))


@st.cache_resource(max_entries=16, show_spinner=False)
def _inside(sha256: str, _card: Card) -> OpenedNetwork:
    return load_inside(_card, _network(sha256, _card))


@st.cache_resource(max_entries=4, show_spinner=False)
def _packed(sha256: str, _card: Card) -> bytes:
    return gzip.compress(pack_card(_card), mtime=0)


@st.cache_resource(max_entries=2, show_spinner=False)
def _thumbnails(sha256: str, method: str, _card: Card) -> dict[int, str]:
    return make_thumbnails(get_inside(_card), get_code_map(), method)
