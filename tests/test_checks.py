"""Every exercise: the right answers pass, the wrong ones are rejected and named."""

import copy

import pytest

from tests.right_answers import RIGHT
from tests.wrong_answers import WRONG
from utils.checks import grade
from utils.checks.registry import EXERCISES, LESSONS, QUESTIONS


def _in_one_process(name, answer):
    """All answers to an exercise are judged in one process, which then runs its bank only once."""
    return pytest.param(name, answer, marks=pytest.mark.xdist_group(name))


EVERY_MISTAKE = [_in_one_process(e.name, m) for e in EXERCISES.values() for m in e.mistakes]
EVERY_RIGHT = [_in_one_process(name, fn) for name, functions in RIGHT.items() for fn in functions]
EVERY_WRONG = [_in_one_process(name, fn) for name, functions in WRONG.items() for fn in functions]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_passes_every_check(name):
    report = grade(name, EXERCISES[name].reference)
    assert (report.status, report.passed) == ("passed", report.total), report.message
    assert report.mistake is None


@pytest.mark.parametrize(("name", "fn"), EVERY_RIGHT, ids=lambda v: getattr(v, "__name__", v))
def test_other_right_answers_pass(name, fn):
    report = grade(name, fn)
    assert report.status == "passed", report.message


@pytest.mark.parametrize(("name", "fn"), EVERY_WRONG, ids=lambda v: getattr(v, "__name__", v))
def test_what_is_wrong_on_few_inputs_only_is_rejected(name, fn):
    assert grade(name, fn).status == "not yet"


@pytest.mark.parametrize(("name", "mistake"), EVERY_MISTAKE, ids=lambda v: getattr(v, "name", v))
def test_a_known_mistake_is_rejected_and_named(name, mistake):
    report = grade(name, copy.deepcopy(mistake.wrong))
    assert report.status == "not yet"
    assert report.passed < report.total
    assert report.mistake == mistake.name, report.message
    assert mistake.hint in report.message


@pytest.mark.parametrize("name", EXERCISES)
def test_names_and_hints_of_mistakes_are_each_their_own(name):
    mistakes = EXERCISES[name].mistakes
    assert len(mistakes) >= 6
    assert len({m.name for m in mistakes}) == len({m.hint for m in mistakes}) == len(mistakes)


@pytest.mark.parametrize("name", EXERCISES)
def test_right_answers_cover_every_exercise(name):
    assert len(RIGHT[name]) >= 4


def test_the_banks_are_rich():
    count = {name: len(exercise.mistakes) for name, exercise in EXERCISES.items()}
    for name in ("cell_forward", "cell_backward", "bptt"):
        assert count[name] >= 20
    for name in (
        "unroll",
        "sequence_cross_entropy",
        "sequence_cross_entropy_backward",
        "accumulate_gradients",
        "train_epoch",
        "train_epoch_torch",
    ):
        assert count[name] >= 15
    assert sum(count.values()) > 220


def test_all_exercises_of_the_course_are_there():
    numbers = [e.number for e in EXERCISES.values()]
    lengths = {"0": 1, "1": 4, "2": 5, "3": 8, "4": 5, "5": 4, "6": 3}
    assert numbers == [f"{lesson}.{k}" for lesson, n in lengths.items() for k in range(1, n + 1)]


def test_numbers_of_exercises_and_questions_are_those_of_their_lesson():
    for title, lesson in LESSONS.items():
        assert {e.number.split(".")[0] for e in lesson.EXERCISES} == {title[0]}
        assert {q.number.split(".")[0] for q in lesson.QUESTIONS} == {title[0]}
        assert len(lesson.QUESTIONS) >= 2


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda q: q.number)
def test_a_question_has_an_answer_among_its_choices_and_replies_to_the_others(question):
    if question.choices:
        assert question.answer in question.choices
        assert set(question.replies) == set(question.choices) - {question.answer}
    else:
        assert question.answer not in question.replies
