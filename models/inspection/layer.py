"""What an ONNX file that can be looked into says of its layers, and how its parts are named."""

from dataclasses import dataclass

IMAGE = "image"  # The layer that is the picture itself.
TABLE = "layers"  # Where the file keeps the table of its layers.
SWITCH = "_switch"
BETWEEN = "/"  # Between a layer and its weights.


@dataclass(frozen=True)
class Layer:
    """One layer as Keras has it.

    ``kind`` is the name of its Keras class, ``inputs`` are the layers it gets its values from,
    ``shape`` is that of its values for one picture.  ``macs`` are its multiply-accumulate
    operations, ``field`` the side of the square in the picture that one of its values depends
    on at most.  ``kernel``, ``strides`` and ``padding`` are those of its window, if it has one.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int
    macs: int
    field: int
    kernel: tuple[int, int] | None = None
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    activation: str = "linear"

    @property
    def has_maps(self) -> bool:
        """Whether its values are maps ``(H, W, C)``, rather than a list of numbers."""
        return len(self.shape) == 3
