"""Core maths, checks and authoring of the RNN workbook."""

__version__ = "0.1.0"
