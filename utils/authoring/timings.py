"""How long each part takes, read off the lessons: `python -m utils.authoring.timings`.

Writes the tables into docs/instructors.md, between the two marks there. The minutes stand in the
lessons themselves, on the title, the sections and the exercise cards; here they are only summed.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "instructors.md"
BEGIN, END = "<!-- timings: written by `make build` -->", "<!-- end of timings -->"

TITLE = re.compile(r"^# # (.+)$", re.M)
TOTAL = re.compile(r"^# .*\*\*(\d+) minutes\*\*", re.M)
SECTION = re.compile(r"^# ## (.+?) · (\d+) minutes?$", re.M)
BREAK = re.compile(r"^# # A break$", re.M)
CARD = re.compile(
    r"^# > \*\*Exercise (\d\.\d) · `(\w+)`\*\* · (\d+) minutes? · difficulty (\S+)$", re.M
)

FIRST_SITTING = [  # of lesson 3
    "The wrong note",
    "One number, by hand",
    "Where the error starts",
    "One step back",
    "Through time",
    "Is it right?",
]

# What to teach in how many minutes: a lesson whole, some sections of it, or so many minutes of
# something else.
PLANS = {
    "90 minutes: what a recurrent network is": (
        90,
        [
            ("Welcome; the notebook open on every screen; lesson 0's exercise together", 10),
            (
                "01_rnn_cell",
                [
                    "Why the order matters",
                    "A memory that is rewritten at every letter",
                    "One step by hand",
                    "Read something out",
                    "From scores to probabilities",
                ],
            ),
            ("02_sequence_unrolling", ["One cell, used T times", "The reader"]),
            ("03_backpropagation_through_time", ["The wrong note", "One number, by hand"]),
            ("What to do at home, questions", 5),
        ],
    ),
    "Half a day: as far as a proven gradient": (
        210,
        [
            ("00_start_here", None),
            ("01_rnn_cell", None),
            ("Break", 10),
            (
                "02_sequence_unrolling",
                [
                    "One cell, used T times",
                    "The same in PyTorch, and what it costs",
                    "Names of different lengths",
                    "In pieces",
                    "The reader",
                ],
            ),
            ("Break", 15),
            ("03_backpropagation_through_time", FIRST_SITTING),
            ("Recall questions, grade sheet, what to do at home", 15),
        ],
    ),
    "Two days, day 1": (
        360,
        [
            ("00_start_here", None),
            ("01_rnn_cell", None),
            ("Break", 15),
            ("02_sequence_unrolling", None),
            ("Lunch", 60),
            ("03_backpropagation_through_time", FIRST_SITTING),
            ("Break", 15),
            (
                "03_backpropagation_through_time",
                [
                    "Train the reader yourself",
                    "Over the cliff",
                    "Vanishing and exploding",
                ],
            ),
            ("Recall questions; BPTT on a blank page, in pairs", 30),
        ],
    ),
    "Two days, day 2": (
        360,
        [
            ("Recall: who writes BPTT on the board?", 10),
            (
                "03_backpropagation_through_time",
                ["Cut it off: truncated BPTT", "The price of memory", "The bug hunt"],
            ),
            ("Break", 15),
            ("04_gradient_accumulation", None),
            ("Lunch", 60),
            ("05_language_model", None),
            ("Break", 15),
            ("06_gates", None),
            ("Grade sheet together, questions, where to go from here", 20),
        ],
    ),
}


class Card(NamedTuple):
    """An exercise as its card announces it."""

    number: str
    name: str
    minutes: int
    difficulty: str


class Section(NamedTuple):
    """A section of a lesson; `second`: it comes after the marked break."""

    title: str
    minutes: int
    cards: list
    second: bool


class Timing(NamedTuple):
    """A lesson: its title, the minutes it announces, its sections."""

    name: str
    title: str
    minutes: int
    sections: list


def read(path: Path) -> Timing:
    """The minutes of a lesson from its source `solutions/NN_name.py`."""
    text = path.read_text(encoding="utf-8")
    pause = BREAK.search(text)
    starts = list(SECTION.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    sections = [
        Section(
            match[1],
            int(match[2]),
            [Card(*c[:2], int(c[2]), c[3]) for c in CARD.findall(text[match.end() : end])],
            bool(pause and match.start() > pause.start()),
        )
        for match, end in zip(starts, ends, strict=True)
    ]
    return Timing(path.stem, TITLE.search(text)[1], int(TOTAL.search(text)[1]), sections)


def lessons() -> list[Timing]:
    """All lessons, in order."""
    return [read(path) for path in sorted((ROOT / "solutions").glob("[0-9]*.py"))]


def tables() -> str:
    """One table of all lessons, then one for each with its sections and exercises, as Markdown."""
    every = lessons()
    lines = [
        "| lesson | minutes | of these exercises | exercises |",
        "|---|---:|---:|---:|",
    ]
    for lesson in every:
        cards = [card for section in lesson.sections for card in section.cards]
        minutes = sum(card.minutes for card in cards)
        lines.append(f"| {lesson.title} | {lesson.minutes} | {minutes} | {len(cards)} |")
    lines.append(f"| all | {sum(lesson.minutes for lesson in every)} | | |")
    for lesson in every:
        lines += ["", f"### {lesson.title}: {lesson.minutes} minutes", ""]
        lines += ["| from | section | minutes | exercises in it |", "|---:|---|---:|---|"]
        at = 0
        for section in lesson.sections:
            cards = "; ".join(
                f"{c.number} `{c.name}` {c.minutes} min {c.difficulty}" for c in section.cards
            )
            lines.append(f"| {at} | {section.title} | {section.minutes} | {cards} |")
            at += section.minutes
    return "\n".join(lines)


def rows(plan: list) -> list[tuple[int, str, int]]:
    """(from, what, minutes) for each part of a plan, the minutes being those of the lessons."""
    known, at, found = {lesson.name: lesson for lesson in lessons()}, 0, []
    for what, part in plan:
        if what in known:
            lesson = known[what]
            minutes = {section.title: section.minutes for section in lesson.sections}
            chosen = part or list(minutes)
            length = sum(minutes[title] for title in chosen)
            what = lesson.title + ("" if part is None else ": " + ", ".join(chosen))
        else:
            length = part
        found.append((at, what, length))
        at += length
    return found


def plans() -> str:
    """A table for each plan, as Markdown."""
    lines = []
    for title, (room, plan) in PLANS.items():
        found = rows(plan)
        used = found[-1][0] + found[-1][2]
        lines += [f"### {title}", "", "| from | what | minutes |", "|---:|---|---:|"]
        lines += [f"| {at} | {what} | {minutes} |" for at, what, minutes in found]
        lines += [f"| {used} | end; {room - used} minutes to spare | |", ""]
    return "\n".join(lines)


def guide(text: str) -> str:
    """The guide's text with the tables of today between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return (
        f"{before}{BEGIN}\n\n{plans()}\n## Minutes of every section\n\n{tables()}\n\n{END}{after}"
    )


if __name__ == "__main__":
    GUIDE.write_text(guide(GUIDE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
