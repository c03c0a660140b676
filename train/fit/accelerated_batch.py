"""What one step of ``train.fit.accelerated`` learns from, made within the compiled step.

    pictures --crop, turn, scale--> clean --white noise--> noisy
    clean pictures as they are; pairs of a camera; crops of the pool, which others have degraded

Pictures are ``float32 (N, side, side, 3)`` in [0, 1], noisy ones may leave it; maps of levels
``(N, h, w, 1)``.  What is random is drawn from a ``key`` of JAX, which must not be loaded before
it is used.
"""

import math
from dataclasses import dataclass

import numpy as np

from imaging.impulses import FILLED_LEVEL
from models.architectures.level_estimator import SMALLER
from train import photo_pool

# Shares of a batch: white noise, nothing, pairs of a camera; the rest is from the pool.
WHITE, NOTHING, PAIRS = 0.5, 0.05, 0.05
GREY_SHARE, CLIPPED_SHARE, DOTS_SHARE = 0.22, 0.5, 0.06
PERMUTED_SHARE, SATURATED_SHARE, MOST_SATURATED = 0.15, 0.25, 1.2
# Told less than this share of the noise, the network is to leave the rest of it in.
ALL_OF_IT = 0.8
GROUPS = ("white", "clean", "pairs", *photo_pool.KINDS)
IMPULSES = GROUPS.index("salt-and-pepper")


@dataclass(frozen=True)
class Source:
    """All pictures in one row of bytes, where each begins, and how large it is."""

    arrays: dict[str, np.ndarray]
    shape: tuple[int, int]  # of a crop, and of the largest piece that is made smaller into one

    @classmethod
    def of(
        cls,
        pictures: list[np.ndarray],
        chances: np.ndarray,
        pairs: list[tuple[np.ndarray, np.ndarray]],
        crop: int,
    ) -> "Source":
        """Lay the pictures ``uint8 (H, W, 3)`` in a row, and beside them the pairs of one size."""
        lengths = [picture.size for picture in pictures]
        # Filled up, so that a few pictures more do not mean another program to compile.
        count, size = -len(pictures) % 2048, -sum(lengths) % 2**27
        filled = np.zeros(size, np.uint8)
        arrays = {
            "bytes": np.concatenate([*(picture.reshape(-1) for picture in pictures), filled]),
            "starts": np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int32),
            "heights": np.int32([picture.shape[0] for picture in pictures]),
            "widths": np.int32([picture.shape[1] for picture in pictures]),
            "chances": np.cumsum(chances).astype(np.float32),
        }
        for name in ("starts", "heights", "widths", "chances"):
            arrays[name] = np.pad(arrays[name], (0, count), mode="edge")
        arrays["pairs"] = np.stack([np.concatenate(pair, axis=2) for pair in pairs])
        return cls(arrays, (crop, round(crop * photo_pool.MOST_REDUCED)))


def batch_sizes(batch: int) -> dict[str, int]:
    """Return how many pictures of a batch are of each kind, in the order in which they lie."""
    sizes = {
        "white": round(batch * WHITE),
        "clean": max(1, round(batch * NOTHING)),
        "pairs": max(1, round(batch * PAIRS)),
    }
    return sizes | {"pool": batch - sum(sizes.values())}


def batch_of(key, data, ring, filled, sizes: dict[str, int], shape: tuple[int, int]):
    """Return a batch by name: pictures, true levels, groups, lost pixels and what they are told."""
    import jax
    import jax.numpy as jnp

    (side, region), total = shape, sum(sizes.values())
    keys = jax.random.split(key, 6)
    count = sizes["white"] + sizes["clean"]
    live, is_grey = live_crops(keys[0], data, count, side, region)
    white_noisy, sigma = white(keys[1], live[: sizes["white"]], is_grey[: sizes["white"]])
    nothing = jnp.round(live[sizes["white"] :] * 255) / 255
    pair_clean, pair_noisy = pair_crops(keys[2], data, sizes["pairs"], side)
    clean, noisy, lost, kinds, levels = pool_crops(keys[3], ring, filled, sizes["pool"])
    group = jnp.concatenate(
        [
            jnp.full((sizes["white"],), 0),
            jnp.full((sizes["clean"],), 1),
            jnp.full((sizes["pairs"],), 2),
            3 + kinds,
        ]
    )
    noisy = jnp.concatenate([white_noisy, nothing, pair_noisy, noisy])
    clean = jnp.concatenate([live[: sizes["white"]], nothing, pair_clean, clean])
    error = jnp.square(noisy - clean).mean(axis=3, keepdims=True)
    cells = error.reshape(total, side // SMALLER, SMALLER, side // SMALLER, SMALLER)
    true = jnp.sqrt(spread(cells.mean(axis=(2, 4))[..., None]))
    true = true.at[: sizes["white"]].set(jnp.broadcast_to(sigma, true[: sizes["white"]].shape))
    others = total - sizes["pool"]
    marked = jnp.concatenate([jnp.zeros((others,), bool), levels >= 0])
    lost = jnp.concatenate([jnp.zeros((others, side, side, 1), bool), lost])
    elsewhere = jnp.concatenate([jnp.zeros((others,)), jnp.maximum(levels, 0)])
    return {
        "clean": clean,
        "noisy": noisy,
        "true": true,
        "group": group,
        "marked": marked[:, None, None, None],
        "marks": jnp.where(
            lost,
            jnp.hypot(elsewhere[:, None, None, None], FILLED_LEVEL),
            elsewhere[:, None, None, None],
        ),
    }


def live_crops(key, data, count: int, side: int, region: int):
    """Crops of the pictures, clean: turned, scaled, in part grey or with other colours."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(key, 14)
    drawn = jax.random.uniform(keys[0], (count,)) * data["chances"][-1]
    chosen = jnp.clip(jnp.searchsorted(data["chances"], drawn), 0, data["chances"].shape[0] - 1)
    height, width = data["heights"][chosen], data["widths"][chosen]
    most = jnp.minimum(jnp.minimum(height, width) / side, photo_pool.MOST_REDUCED)
    scale = 1 + jax.random.uniform(keys[1], (count,)) * (most - 1)
    rescaled = jax.random.bernoulli(keys[2], photo_pool.RESCALED_SHARE, (count,))
    scale = jnp.where(rescaled, scale, 1.0)
    taken = jnp.ceil(side * scale - 1e-3).astype(jnp.int32)
    places = jax.random.uniform(keys[3], (2, count))
    top = jnp.floor(places[0] * (height - taken + 1)).astype(jnp.int32)
    left = jnp.floor(places[1] * (width - taken + 1)).astype(jnp.int32)
    along = jnp.arange(region)
    rows = jnp.minimum(top[:, None] + along, height[:, None] - 1)
    columns = jnp.minimum(left[:, None] + along, width[:, None] - 1)
    where = data["starts"][chosen][:, None, None] + 3 * (
        rows[:, :, None] * width[:, None, None] + columns[:, None, :]
    )
    pieces = data["bytes"][where[..., None] + jnp.arange(3)].astype(jnp.float32) / 255
    matrices = resizing(scale[:, None, None], 0.0, side, region)
    pieces = jnp.einsum("noy,nyxc->noxc", matrices, pieces)
    crops = jnp.clip(jnp.einsum("npx,noxc->nopc", matrices, pieces), 0, 1)
    return varied(keys[4:], crops)


def varied(keys, crops):
    """Return the crops turned, in part with other colours, dots or grey, and which are grey."""
    import jax
    import jax.numpy as jnp

    count = len(crops)
    crops = turned(keys[0], crops)
    order = jax.random.permutation(keys[1], jnp.arange(3))
    crops = jnp.where(uniform(keys[2], count) < PERMUTED_SHARE, crops[..., order], crops)
    grey = crops.mean(axis=3, keepdims=True)
    more = uniform(keys[3], count, -0.3, MOST_SATURATED)
    more = jnp.where(uniform(keys[4], count) < SATURATED_SHARE, more, 0)
    crops = jnp.clip(crops + more * (crops - grey), 0, 1)
    # Single white, black or coloured dots are a part of the picture: stars, print.
    density = jnp.exp(uniform(keys[5], count, math.log(3e-4), math.log(1e-2)))
    density = jnp.where(uniform(keys[6], count) < DOTS_SHARE, density, 0)
    dots = jax.random.uniform(keys[7], (*crops.shape[:3], 1)) < density
    colour = jnp.clip(uniform(keys[8], count, -0.5, 2.0), 0, 1)
    crops = jnp.where(dots, colour, crops)
    is_grey = uniform(keys[9], count) < GREY_SHARE
    return jnp.where(is_grey, crops.mean(axis=3, keepdims=True), crops), is_grey


def resizing(scale, start, side: int, region: int):
    """Matrices (N, side, region) that make ``side`` pixels of ``side * scale``, bicubic."""
    import jax.numpy as jnp

    out = (jnp.arange(side) + 0.5)[None, :, None] * scale + start - 0.5
    far = jnp.abs(jnp.arange(region)[None, None, :] - out) / scale
    near = 1 - 2.5 * far**2 + 1.5 * far**3
    middle = 2 - 4 * far + 2.5 * far**2 - 0.5 * far**3
    weights = jnp.where(far < 1, near, jnp.where(far < 2, middle, 0))
    inside = jnp.arange(region)[None, None, :] < jnp.ceil(side * scale - 1e-3)
    weights = weights * inside
    return weights / weights.sum(axis=2, keepdims=True)


def white(key, clean, is_grey):
    """White noise of every level, half of it clipped to 8 bits."""
    import jax
    import jax.numpy as jnp

    count = len(clean)
    keys = jax.random.split(key, 5)
    high = jnp.where(uniform(keys[0], count) < 0.5, 75 / 255, 35 / 255)
    sigma = uniform(keys[1], count) * high
    normal = jax.random.normal(keys[2], clean.shape)
    normal = jnp.where(is_grey, normal[..., :1], normal)
    noisy = clean + sigma * normal
    clipped = jnp.round(jnp.clip(noisy, 0, 1) * 255) / 255
    return jnp.where(uniform(keys[3], count) < CLIPPED_SHARE, clipped, noisy), sigma


def pair_crops(key, data, count: int, side: int):
    """Return the truth and the noisy picture of a camera, in crops of the pairs."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(key, 3)
    chosen = jax.random.randint(keys[0], (count,), 0, data["pairs"].shape[0])
    height, width = data["pairs"].shape[1:3]
    places = jax.random.uniform(keys[1], (2, count))
    top = jnp.floor(places[0] * (height - side + 1)).astype(jnp.int32)
    left = jnp.floor(places[1] * (width - side + 1)).astype(jnp.int32)
    both = jax.vmap(
        lambda one, y, x: jax.lax.dynamic_slice(data["pairs"], (one, y, x, 0), (1, side, side, 6))[
            0
        ]
    )(chosen, top, left)
    both = turned(keys[2], both).astype(jnp.float32) / 255
    return both[..., :3], both[..., 3:]


def pool_crops(key, ring, filled, count: int):
    """Return clean and noisy crops of the pool, lost pixels, kinds of noise, levels elsewhere."""
    import jax
    import jax.numpy as jnp

    chosen_key, turn_key = jax.random.split(key)
    drawn = jax.random.uniform(chosen_key, (count,))
    chosen = jnp.minimum((drawn * filled).astype(jnp.int32), filled - 1)
    planes = turned(turn_key, ring["planes"][chosen]).astype(jnp.float32) / 255
    clean, noisy = planes[..., photo_pool.CLEAN], planes[..., photo_pool.NOISY]
    lost = planes[..., photo_pool.LOST :] > 0.5
    return clean, noisy, lost, ring["kinds"][chosen], ring["levels"][chosen]


def told_and_target(key, batch, read, trusted):
    """Draw what the network is told of the noise, and what it is to answer."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(key, 6)
    total = len(read)
    true, group = batch["true"], batch["group"][:, None, None, None]
    is_white, is_clean, is_impulses = group == 0, group == 1, group == IMPULSES
    read = jnp.where(trusted > 0.5, spread(jnp.maximum(read, 0)), true)
    level = jnp.sqrt(jnp.square(true).mean(axis=(1, 2, 3), keepdims=True))
    draw = uniform(keys[0], total)
    wrong = jnp.exp(0.12 * jax.random.normal(keys[1], (total, 1, 1, 1)))
    share = uniform(keys[2], total, 0, ALL_OF_IT)
    # White: mostly told exactly.  Others: as read, as it is where it is, and one for all.
    is_partial = jnp.where(is_white, draw > 0.93, draw > 0.86) & ~is_clean & ~is_impulses
    as_read = jnp.where(is_white, draw < 0.16, draw < 0.45)
    exact = jnp.where(is_white, draw >= 0.16, False)
    one_for_all = draw > 0.76
    told = jnp.where(one_for_all, level * jnp.ones_like(true), true) * wrong
    told = jnp.where(exact, true, told)
    told = jnp.where(as_read, read * jnp.where(is_white, 1.0, wrong**0.5), told)
    told = jnp.where(is_impulses, jnp.maximum(told, level), told)
    little = jnp.where(draw < 0.6, read, jnp.maximum(draw - 0.8, 0) * 10 / 255)
    told = jnp.where(is_clean, little, told)
    told = jnp.where(is_partial, true * share, told)
    told = jnp.where(batch["marked"], batch["marks"], enlarged(told))
    left = jnp.where(is_partial, 1 - share / ALL_OF_IT, 0)
    return told, batch["clean"] + left * (batch["noisy"] - batch["clean"]), is_partial


def spread(cells):
    """A map (N, h, w, 1) averaged over its neighbours, 3x3."""
    import jax.numpy as jnp

    padded = jnp.pad(cells, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9


def enlarged(cells):
    """Return a map with a value for each pixel."""
    import jax

    count, height, width, _ = cells.shape
    return jax.image.resize(cells, (count, height * SMALLER, width * SMALLER, 1), "linear")


def turned(key, pictures):
    """Mirror and turn each picture of a batch at random."""
    import jax
    import jax.numpy as jnp

    flips = jax.random.bernoulli(key, 0.5, (3, len(pictures), 1, 1, 1))
    pictures = jnp.where(flips[0], pictures[:, ::-1], pictures)
    pictures = jnp.where(flips[1], pictures[:, :, ::-1], pictures)
    return jnp.where(flips[2], jnp.swapaxes(pictures, 1, 2), pictures)


def uniform(key, count: int, low: float = 0.0, high: float = 1.0):
    """Return numbers ``(count, 1, 1, 1)``, one a picture."""
    import jax

    return jax.random.uniform(key, (count, 1, 1, 1), minval=low, maxval=high)
