"""The figures, one module a lesson: readable at notebook width, colour-blind safe."""

from .cell import cell_diagram, memory
from .shared import COLOURS, INK, TINTS, VALUES, show, swatches
from .unroll import strips, three_shapes, unrolled

__all__ = [
    "COLOURS",
    "INK",
    "TINTS",
    "VALUES",
    "cell_diagram",
    "memory",
    "show",
    "strips",
    "swatches",
    "three_shapes",
    "unrolled",
]
