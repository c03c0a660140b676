"""Scenes drawn by the program, with what is where: cells, an aerial picture, a street.

They stand in for pictures whose licence lets nobody pass them on: ``uint8`` pictures, and numbers
``int32 (H, W)`` for their pixels.  The same seed draws the same scene.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

Scene = tuple[np.ndarray, np.ndarray]


def draw_cells(rng: np.random.Generator, side: int = 128) -> Scene:
    """Return glowing cells on a dark ground ``(side, side, 1)``, and the number of each.

    Some touch.  Each cell has a size, a shape, a brightness and a texture of its own.
    """
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    cells = np.zeros((side, side), np.int32)
    light = np.zeros((side, side), np.float32)
    radius = rng.uniform(5, 11)
    for number in range(1, rng.integers(4, 26) + 1):
        row, column = _near_another(cells, radius, rng)
        long, short = radius * rng.uniform(0.9, 1.4), radius * rng.uniform(0.65, 1.0)
        angle, bend = rng.uniform(0, np.pi), rng.uniform(-0.25, 0.25)
        along = np.cos(angle) * (columns - column) + np.sin(angle) * (rows - row)
        across = np.cos(angle) * (rows - row) - np.sin(angle) * (columns - column)
        across = across + bend * along**2 / long
        inside = ((along / long) ** 2 + (across / short) ** 2 < 1) & (cells == 0)
        if np.count_nonzero(inside) < 0.5 * np.pi * long * short:
            continue  # It would be hidden behind others, or beyond the edge.
        cells[inside] = number
        light[inside] = rng.uniform(0.35, 1)
    light *= 1 + 0.5 * _texture(light.shape, 1.5, rng)
    light = ndimage.gaussian_filter(light, rng.uniform(0.6, 1.4))
    ground = rng.uniform(0.02, 0.2) * (1 + 0.3 * _texture(light.shape, 30, rng))
    picture = rng.uniform(0.3, 1) * (ground + light)
    picture = picture + rng.uniform(0.005, 0.05) * rng.standard_normal(picture.shape)
    cells = _renumbered(cells)
    return _pixels(picture[..., np.newaxis]), cells


def draw_aerial(rng: np.random.Generator, side: int = 256) -> Scene:
    """Return a town from above ``(side, side, 3)``, and where its roads are, 1 or 0."""
    grass = np.array([0.36, 0.40, 0.27]) * rng.uniform(0.8, 1.2)
    picture = grass * (1 + 0.22 * _texture((side, side), 3, rng)[..., None])
    picture *= 1 + 0.2 * _texture((side, side), 25, rng)[..., None]
    angle = rng.uniform(-0.25, 0.25) + rng.integers(2) * np.pi / 2
    block, depth = rng.uniform(90, 130), rng.uniform(55, 75)
    width = rng.uniform(11, 17)
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) - side / 2
    turned = places @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = turned + rng.uniform(0, 100, 2)
    along, across = turned[..., 0] % block, turned[..., 1] % (2 * depth)
    roads = (along < width) | (across < width)
    asphalt = rng.uniform(0.42, 0.58) * (1 + 0.06 * _texture((side, side), 1.2, rng))
    pavement = (
        (along < width + 4) | (across < width + 4) | (along > block - 4) | (across > 2 * depth - 4)
    )
    picture[pavement] = 0.62 + 0.05 * rng.standard_normal((np.count_nonzero(pavement), 1))
    picture[roads] = asphalt[roads][:, None] * np.array([1.0, 1.0, 1.03])
    plots = np.stack([turned[..., 0] // block, turned[..., 1] // depth, along // 22]).astype(int)
    plots -= plots.min(axis=(1, 2), keepdims=True)
    place = np.ravel_multi_index(tuple(plots), plots.max(axis=(1, 2)) + 1)
    _, house = np.unique(place, return_inverse=True)
    roofs = rng.uniform(0.25, 0.8, (house.max() + 1, 1)) * rng.choice(
        np.array([[1, 1, 1], [1.1, 0.85, 0.7], [0.8, 0.9, 1.0]]), house.max() + 1
    )
    within = turned[..., 1] % depth
    garden = rng.uniform(20, 30, house.max() + 1)[house]
    is_house = (within > garden) & (within < garden + 20) & (along % 22 > 4) & ~pavement & ~roads
    ridge = 1 - 0.12 * ((within - garden) > 10)
    picture[is_house] = (roofs[house] * ridge[..., None])[is_house]
    shadow = np.roll(is_house, (2, 2), (0, 1)) & ~is_house
    picture[shadow] *= 0.55
    for _ in range(rng.integers(40, 110)):
        row, column, radius = *rng.uniform(0, side, 2), rng.uniform(3, 8)
        # Looked for near its middle alone: the pattern moves its edge by 1.35 at most.
        near = tuple(
            slice(max(0, int(middle - radius - 2)), int(middle + radius + 3))
            for middle in (row, column)
        )
        down, right = (places[near][..., axis] + side / 2 for axis in (1, 0))
        crown = np.hypot(down - row, right - column)
        crown = crown + 1.5 * _texture_at(down, right, row, column) < radius
        if np.count_nonzero(crown & roads[near]) < 0.3 * np.count_nonzero(crown):
            picture[near][crown] = np.array([0.16, 0.24, 0.12]) * rng.uniform(0.8, 1.5)
    for _ in range(rng.integers(6, 20)):  # cars
        row, column = rng.integers(2, side - 6, 2)
        if roads[row : row + 4, column : column + 6].all():
            picture[row : row + 3, column : column + 6] = rng.choice([0.1, 0.9, 0.75])
    picture = ndimage.gaussian_filter(picture, (0.7, 0.7, 0))
    picture = picture + 0.015 * rng.standard_normal(picture.shape)
    return _pixels(picture), roads.astype(np.int32)


def draw_street(rng: np.random.Generator, size: tuple[int, int] = (240, 320)) -> Scene:
    """Return a street seen from a car ``(*size, 3)``, and the class of each pixel.

    Classes are those of CamVid: 0 sky, 1 building, 2 pole, 3 road, 4 pavement, 5 tree, 6 sign,
    8 car, 9 pedestrian.
    """
    street = _Street.empty(rng, size)
    _draw_houses(street)
    spread = street.width * rng.uniform(0.55, 0.7)
    _draw_road(street, spread)
    _draw_trees(street, spread)
    _draw_poles(street, spread)
    _draw_cars(street, spread)
    _draw_people(street, spread)
    picture = np.asarray(street.canvas) / 255
    picture = picture * (1 + 0.03 * _texture(size, 1, rng)[..., None])
    picture = ndimage.gaussian_filter(picture, (0.6, 0.6, 0)) + 0.015 * rng.standard_normal(
        (*size, 3)
    )
    return _pixels(picture * 0.85), np.asarray(street.classes).astype(np.int32)


@dataclass(frozen=True)
class _Street:
    """A picture and its classes that are drawn together, in perspective.

    Far away is at the row ``horizon``, ``depth`` rows above the lowest, and the column ``middle``;
    ``scale`` is 1 for 240 rows.
    """

    rng: np.random.Generator
    canvas: Image.Image
    classes: Image.Image
    width: int
    height: int
    scale: float
    horizon: int
    depth: int
    middle: float

    @classmethod
    def empty(cls, rng: np.random.Generator, size: tuple[int, int]) -> "_Street":
        height, width = size
        horizon, middle = int(height * rng.uniform(0.42, 0.5)), width * rng.uniform(0.45, 0.55)
        return cls(
            rng,
            canvas=Image.new("RGB", (width, height)),
            classes=Image.new("L", (width, height), 0),
            width=width,
            height=height,
            scale=height / 240,
            horizon=horizon,
            depth=height - horizon,
            middle=middle,
        )

    def fill(self, shape: str, places: list, colour: tuple, number: int) -> None:
        """Draw a "rectangle", "polygon" or "ellipse" of a class."""
        rounded = tuple(int(np.clip(c, 0, 255)) for c in colour)
        getattr(ImageDraw.Draw(self.canvas), shape)(places, fill=rounded)
        getattr(ImageDraw.Draw(self.classes), shape)(places, fill=number)

    def vary(self, *colour: float) -> tuple:
        """Return a colour like this one, of values up to 255."""
        return tuple(np.array(colour) * self.rng.uniform(0.75, 1.25) + self.rng.uniform(-8, 8, 3))


def _draw_houses(street: _Street) -> None:
    """Draw the sky, the ground, and four houses with windows on each side."""
    rng, horizon, middle = street.rng, street.horizon, street.middle
    street.fill("rectangle", [0, 0, street.width, street.height], street.vary(205, 212, 220), 0)
    street.fill(
        "rectangle", [0, horizon, street.width, street.height], street.vary(150, 148, 146), 4
    )
    for side in (-1, 1):
        x = 0.0 if side < 0 else float(street.width)
        for _ in range(4):
            step = abs(middle - x) * rng.uniform(0.3, 0.5)
            end = x - side * step
            tops = [
                horizon - abs(middle - place) * 0.75 * rng.uniform(0.7, 1) for place in (x, end)
            ]
            corners = [(x, tops[0]), (end, tops[0] * 0.6 + tops[1] * 0.4)]
            wall = street.vary(120, 105, 95)
            street.fill("polygon", [*corners, (end, horizon + 8), (x, horizon + 40)], wall, 1)
            for column in np.arange(min(x, end) + 4, max(x, end) - 5, max(6, step / 4)):
                for row in np.arange(max(*tops) + 8, horizon - 6, 18 * street.scale):
                    street.fill("rectangle", [column, row, column + 3, row + 6], (60, 65, 72), 1)
            x = end


def _draw_road(street: _Street, spread: float) -> None:
    """Draw pavement and road, half as wide as ``spread`` or so, and the line in its middle."""
    horizon, middle, height = street.horizon, street.middle, street.height
    for reach, colour, number in ((1.6, (150, 148, 146), 4), (0.8, (105, 105, 110), 3)):
        far, near = 4 * reach, reach * spread
        corners = [(middle - far, horizon), (middle + far, horizon)]
        street.fill(
            "polygon",
            [*corners, (middle + near, height), (middle - near, height)],
            street.vary(*colour),
            number,
        )
    for row in np.arange(horizon + 12, height, 24 * street.scale):
        deep = (row - horizon) / street.depth
        line = [middle - 2 * deep, row, middle + 2 * deep, row + 9 * deep]
        street.fill("rectangle", line, (225, 225, 220), 3)


def _beside_road(
    street: _Street, spread: float, near: tuple[float, float], drop: float
) -> tuple[float, float, float]:
    """Draw a place: how near it is, how far aside the kerb is there, and the row of its foot."""
    deep, side = street.rng.uniform(*near), street.rng.choice([-1, 1])
    return deep, side * spread * deep, street.horizon + deep * street.depth * drop


def _draw_trees(street: _Street, spread: float) -> None:
    rng = street.rng
    for _ in range(rng.integers(2, 5)):
        deep, aside, foot = _beside_road(street, spread, (0.15, 0.7), 0.5)
        x = street.middle + aside * rng.uniform(1.05, 1.5)
        tall = 110 * deep * street.scale
        street.fill("rectangle", [x - 2, foot - tall, x + 2, foot], (70, 58, 45), 5)
        for _ in range(14):
            dx, dy = rng.normal(0, tall * 0.22, 2)
            r = tall * rng.uniform(0.1, 0.22)
            crown = [x + dx - r, foot - tall + dy - r, x + dx + r, foot - tall + dy + r]
            street.fill("ellipse", crown, street.vary(70, 88, 50), 5)


def _draw_poles(street: _Street, spread: float) -> None:
    """Draw poles, most with a sign."""
    rng = street.rng
    for _ in range(rng.integers(2, 5)):
        deep, aside, foot = _beside_road(street, spread, (0.2, 0.9), 0.6)
        x = street.middle + aside * 0.95
        tall = 150 * deep * street.scale
        pole = [x - 1 - deep, foot - tall, x + 1 + deep, foot]
        street.fill("rectangle", pole, street.vary(85, 85, 88), 2)
        if rng.random() < 0.6:
            r = 10 * deep * street.scale
            sign = [x - r, foot - tall, x + r, foot - tall + 2 * r]
            street.fill("rectangle", sign, street.vary(60, 90, 170), 6)


def _draw_cars(street: _Street, spread: float) -> None:
    rng = street.rng
    for _ in range(rng.integers(1, 4)):
        deep, lane = rng.uniform(0.12, 0.6), rng.choice([-0.55, 0.5])
        foot, x = street.horizon + deep * street.depth, street.middle + lane * spread * deep
        w, h = 48 * deep * street.scale + 6, 34 * deep * street.scale + 5
        body = street.vary(
            *rng.choice([[150, 40, 35], [40, 50, 90], [190, 190, 190], [45, 45, 48]])
        )
        street.fill("rectangle", [x - w, foot - h, x + w, foot], body, 8)
        street.fill("rectangle", [x - 0.75 * w, foot - 1.8 * h, x + 0.75 * w, foot - h], body, 8)
        window = [x - 0.6 * w, foot - 1.65 * h, x + 0.6 * w, foot - 1.1 * h]
        street.fill("rectangle", window, (50, 60, 70), 8)


def _draw_people(street: _Street, spread: float) -> None:
    rng = street.rng
    for _ in range(rng.integers(1, 5)):
        deep, aside, foot = _beside_road(street, spread, (0.15, 0.6), 0.7)
        x = street.middle + aside * 1.2
        tall = 70 * deep * street.scale + 6
        body = [x - tall * 0.13, foot - tall * 0.85, x + tall * 0.13, foot]
        street.fill("rectangle", body, street.vary(60, 55, 75), 9)
        r = tall * 0.09
        head = [x - r, foot - tall, x + r, foot - tall + 2 * r]
        street.fill("ellipse", head, (190, 150, 130), 9)


def _near_another(cells: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """A place anywhere, or often so near another cell that the two touch."""
    places = np.argwhere(cells)
    if len(places) and rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        far = 1.6 * radius * np.array([np.sin(angle), np.cos(angle)])
        return np.clip(rng.choice(places) + far, 0, len(cells) - 1)
    return rng.uniform(0, len(cells), 2)


def _texture(shape: tuple[int, ...], width: float, rng: np.random.Generator) -> np.ndarray:
    """Blurred noise of standard deviation 1."""
    pattern = ndimage.gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    return pattern / max(float(pattern.std()), 1e-9)


def _texture_at(rows: np.ndarray, columns: np.ndarray, row: float, column: float) -> np.ndarray:
    """A wavy pattern around a point, for edges that are not quite round."""
    angle = np.arctan2(rows - row, columns - column)
    return np.sin(5 * angle + row) * 0.5 + np.sin(9 * angle + column) * 0.4


def _renumbered(cells: np.ndarray) -> np.ndarray:
    _, numbered = np.unique(cells, return_inverse=True)
    return numbered.reshape(cells.shape).astype(np.int32)


def _pixels(picture: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
