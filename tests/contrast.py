"""How much one colour stands out on another: WCAG 2.1, its definition."""

import numpy as np
from matplotlib.colors import to_rgba


def contrast(colour, paper="white"):
    """From 1 to 21; text is readable (AA) from 4.5 on, lines from 3. Colours as Matplotlib's."""
    dark, light = sorted([_luminance(colour), _luminance(paper)])
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    *rgb, alpha = to_rgba(colour)
    part = np.array(rgb) * alpha + 1 - alpha  # what is seen through is white
    linear = np.where(part <= 0.03928, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]
