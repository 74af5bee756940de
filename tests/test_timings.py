"""The minutes of a lesson add up, and the instructors' guide says the same."""

import pytest

from utils.authoring import timings
from utils.checks.registry import EXERCISES


@pytest.mark.parametrize("lesson", timings.lessons(), ids=lambda lesson: lesson.name)
def test_the_sections_add_up_to_the_lesson(lesson):
    assert sum(section.minutes for section in lesson.sections) == lesson.minutes


@pytest.mark.parametrize("lesson", timings.lessons(), ids=lambda lesson: lesson.name)
def test_exercises_leave_time_for_reading(lesson):
    for section in lesson.sections:
        assert sum(card.minutes for card in section.cards) < section.minutes, section.title


def test_every_exercise_has_its_card():
    cards = [c for lesson in timings.lessons() for s in lesson.sections for c in s.cards]
    assert [(c.number, c.name) for c in cards] == [(e.number, e.name) for e in EXERCISES.values()]
    assert {c.difficulty for c in cards} == {"●○○", "●●○", "●●●"}


def test_the_break_of_lesson_3_comes_after_the_minutes_it_says():
    lesson = next(lesson for lesson in timings.lessons() if lesson.name.startswith("03_"))
    first = sum(section.minutes for section in lesson.sections if not section.second)
    text = (timings.ROOT / "solutions" / f"{lesson.name}.py").read_text(encoding="utf-8")
    assert f"That was the first sitting, {first} minutes." in text


@pytest.mark.parametrize("title", timings.PLANS)
def test_a_plan_fits_into_its_time_and_leaves_some(title):
    room, plan = timings.PLANS[title]
    used = sum(minutes for _, _, minutes in timings.rows(plan))
    assert 0.85 * room <= used <= room


def test_the_two_days_cover_all_lessons_and_nothing_twice():
    parts = [p for title in ("Two days, day 1", "Two days, day 2") for p in timings.PLANS[title][1]]
    taught = []
    for lesson in timings.lessons():
        for what, chosen in parts:
            if what == lesson.name:
                taught += [(what, t) for t in chosen or [s.title for s in lesson.sections]]
    every = [(lesson.name, s.title) for lesson in timings.lessons() for s in lesson.sections]
    assert sorted(taught) == sorted(
        e for e in every if e != ("03_backpropagation_through_time", "Looking back")
    )


def test_the_guide_is_up_to_date():
    text = timings.GUIDE.read_text(encoding="utf-8")
    assert timings.guide(text) == text, "run `make build`"
