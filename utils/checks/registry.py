"""All exercises and questions, in the order of the lessons."""

from . import cell, start_here, unroll

LESSONS = {
    "0 Start here": start_here,
    "1 The RNN cell": cell,
    "2 Sequence unrolling": unroll,
}

EXERCISES = {e.name: e for lesson in LESSONS.values() for e in lesson.EXERCISES}
QUESTIONS = {q.number: q for lesson in LESSONS.values() for q in lesson.QUESTIONS}
