"""The figures, one module a lesson: readable at notebook width, colour-blind safe."""

from .accumulation import clipped_parts, ladder, one_update, three_sums, update_windows
from .bptt import backward_sweep, cell_backward_diagram, provenance, sizes_on_arrows
from .cell import cell_diagram, memory
from .gates import gradient_flows, gru_diagram, losses_by_delay, lstm_diagram
from .language_model import chances, learning, streams, swatch_rows
from .shared import COLOURS, INK, TINTS, VALUES, interact, show, swatches
from .unroll import strips, three_shapes, unrolled

__all__ = [
    "COLOURS",
    "INK",
    "TINTS",
    "VALUES",
    "backward_sweep",
    "cell_backward_diagram",
    "cell_diagram",
    "chances",
    "clipped_parts",
    "gradient_flows",
    "gru_diagram",
    "interact",
    "ladder",
    "learning",
    "losses_by_delay",
    "lstm_diagram",
    "memory",
    "one_update",
    "provenance",
    "show",
    "sizes_on_arrows",
    "streams",
    "strips",
    "swatch_rows",
    "swatches",
    "three_shapes",
    "three_sums",
    "unrolled",
    "update_windows",
]
