"""Correct answers, written in other ways than the reference: every one of them must pass."""

from . import accumulation, bptt, cell, gates, language_model, start_here, unroll

LESSONS = (start_here, cell, unroll, bptt, accumulation, language_model, gates)
RIGHT = {name: functions for lesson in LESSONS for name, functions in lesson.RIGHT.items()}
