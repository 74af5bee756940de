"""MathJax, which sets the formulas of the slides and of the reading edition with no network."""

import sysconfig
from pathlib import Path

FOLDER = Path(sysconfig.get_path("purelib"), "sphinx-mathjax-offline", "static", "mathjax")


def script(name: str) -> str:
    """One of its scripts, without the address of a server.

    It names one for parts that are never asked for: so that it can't ask.
    """
    return (FOLDER / name).read_text(encoding="utf-8").replace("https://cdn.jsdelivr.net/", "")
