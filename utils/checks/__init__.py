"""Checks that say at once what is wrong and why."""

from .session import answer, check, grade, progress

__all__ = ["answer", "check", "grade", "progress"]
