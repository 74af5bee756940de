"""Checks that say at once what is wrong and why."""

import sys

from . import slips
from .session import answer, check, grade, progress

__all__ = ["answer", "check", "grade", "progress"]

if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
    slips.watch(shell)
