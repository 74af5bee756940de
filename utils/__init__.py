"""Core maths, checks and authoring of the RNN workbook."""
