"""All exercises and questions, in the order of the lessons."""

from . import accumulation, bptt, cell, gates, language_model, start_here, unroll

LESSONS = {
    "0 Start here": start_here,
    "1 The RNN cell": cell,
    "2 Sequence unrolling": unroll,
    "3 Backpropagation through time": bptt,
    "4 Gradient accumulation": accumulation,
    "5 A language model": language_model,
    "6 Gates": gates,
}

EXERCISES = {e.name: e for lesson in LESSONS.values() for e in lesson.EXERCISES}
QUESTIONS = {q.number: q for lesson in LESSONS.values() for q in lesson.QUESTIONS}
