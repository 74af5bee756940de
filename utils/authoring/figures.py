"""The figures among a notebook's outputs, as `plots.show` leaves them there."""

import re
from html import unescape
from typing import NamedTuple

from nbformat import NotebookNode

IMAGE = re.compile(r'<img alt="([^"]*)" width="\d+" src="data:image/png;base64,([^"]+)">')


class Figure(NamedTuple):
    """What a figure shows, in words, and its PNG in base64."""

    alt: str
    png: str


def figure_in(output: NotebookNode) -> Figure | None:
    """The figure that an output is, None for any other output."""
    found = IMAGE.fullmatch(output.get("data", {}).get("text/html", ""))
    return found and Figure(unescape(found[1]), found[2])
