"""Write docs/reader.png, the picture of the README: `python -m utils.authoring.picture`.

It is a figure of lesson 2 as it stands in the solved notebook: names read letter by letter.
"""

import base64

from utils.authoring.build import ROOT, read_notebook
from utils.authoring.figures import figure_in

PICTURE = ROOT / "docs" / "reader.png"


def picture() -> bytes:
    """The first figure of lesson 2 that shows what was painted after each letter."""
    for cell in read_notebook(ROOT / "solutions/02_sequence_unrolling.ipynb").cells:
        for output in cell.get("outputs", []):
            figure = figure_in(output)
            if figure and "painted after each letter" in figure.alt:
                return base64.b64decode(figure.png)
    raise LookupError("lesson 2 has no figure of names painted letter by letter")


if __name__ == "__main__":
    PICTURE.write_bytes(picture())
