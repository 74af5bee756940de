"""The grade sheet: a table for spreadsheets, and a page to read, to print and to teach from."""

import csv
import io
import re
from collections import defaultdict
from html import escape
from typing import Any

from utils.checks.registry import EXERCISES
from utils.checks.report import LOOK

ANSWERS = ("right", "wrong", "not answered")


# For spreadsheets ---------------------------------------------------------------------------------


def table(graded: list) -> list[list[str | int]]:
    """One row a notebook, the names of the columns first.

    Two columns for each exercise of the lessons that were handed in: its state, and what is wrong.
    """
    numbers = {row.lesson.number for row in graded if row.lesson}
    exercises = [e for e in EXERCISES.values() if e.number[0] in numbers]
    head = ["person", "lesson", "passed", "of"]
    for exercise in exercises:
        head += [f"{exercise.number} {exercise.name}", f"{exercise.number} mistake"]
    head += [f"questions {kind}" for kind in ANSWERS] + ["not graded because", "remarks", "file"]
    return [head, *(_row(row, exercises) for row in graded)]


def _row(row, exercises):
    verdicts = {v.exercise: v for v in row.verdicts}
    cells = [row.person, row.lesson.title if row.lesson else ""]
    cells += [_passed(row), len(verdicts)] if verdicts else ["", ""]
    for exercise in exercises:
        verdict = verdicts.get(exercise.name)
        cells += [verdict.status, verdict.mistake] if verdict else ["", ""]
    given = list(row.answers.values())
    cells += [given.count(kind) if verdicts else "" for kind in ANSWERS]
    return [*cells, row.problem, "; ".join(row.remarks), row.file]


def _passed(row):
    return sum(v.status == "passed" for v in row.verdicts)


def csv_bytes(rows: list[list[str | int]]) -> bytes:
    """The table as a file that spreadsheets open with all letters right and without running it."""
    text = io.StringIO()
    csv.writer(text).writerows([[_harmless(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8-sig", "replace")


def _harmless(cell):
    """Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(cell, str):
        cell = " ".join(cell.split())
        return "'" + cell if cell.startswith(tuple("=+-@|%＝＋－＠")) else cell
    return cell


# To read ------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --line: #bbb; --faint: #f3f3f3 }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #16181c; --line: #555; --faint: #23262c }
}
body { color: var(--ink); background: var(--paper); font: 16px/1.45 system-ui, sans-serif;
  margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem }
h1, h2, h3 { line-height: 1.2 } h2 { margin-top: 2.5rem }
h3 { margin: 1.8rem 0 0.3rem; font-size: 1.05rem; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 0.6rem 0 1.2rem }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0 }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: left;
  vertical-align: top }
thead th { background: var(--faint) }
td.number { text-align: right; font-variant-numeric: tabular-nums }
td.text { min-width: 14rem; overflow-wrap: anywhere }
.passed { color: #1e5631; background: #e6f4ea }
.not-yet { color: #7a2500; background: #fdeee6 }
.not-attempted { color: #33415c; background: #eef2f7 }
@media screen and (prefers-color-scheme: dark) {
  .passed { color: #b5e3c1; background: #14301d } .not-yet { color: #ffcdb2; background: #3a1d0f }
  .not-attempted { color: #cbd6ea; background: #232c3b }
}
code { font-size: 0.95em } ul { margin: 0.3rem 0; padding-left: 1.3rem }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --line: #888; --faint: #eee }
  body { font-size: 10pt; max-width: none; margin: 0 } .wide { overflow: visible }
  tr, .person { break-inside: avoid } thead { display: table-header-group }
}
"""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Grade sheet</title>
<style>{style}</style>
</head>
<body>
<h1>Grade sheet</h1>
"""


def page(graded: list, warnings: list[str]) -> str:
    """The whole page as HTML. It needs nothing beside it."""
    parts = [HEAD.format(style=STYLE), _summary(graded)]
    if warnings:
        parts += ["<h2>Warnings</h2>", _list(warnings)]
    by_lesson = defaultdict(list)
    for row in graded:
        if row.verdicts:
            by_lesson[row.lesson.number].append(row)
    for _, rows in sorted(by_lesson.items()):
        parts.append(f"<h2>Lesson {escape(rows[0].lesson.title)}</h2>")
        parts += [_stuck(rows), _mistakes(rows), _questions(rows), _overview(rows)]
    without = [row for row in graded if not row.verdicts]
    if without:
        cells = [[_name(row.person), _code(row.file), escape(row.problem)] for row in without]
        parts.append("<h2>Not graded</h2>")
        parts.append(_table("Files that could not be graded", ("person", "file", "why"), cells))
    for _, rows in sorted(by_lesson.items()):
        parts.append(f"<h2>Lesson {escape(rows[0].lesson.title)}: person by person</h2>")
        parts += [_person(row) for row in rows]
    return "\n".join([*parts, "</body>\n</html>\n"])


def _summary(graded):
    done = [row for row in graded if row.verdicts]
    people = len({row.person for row in graded})
    text = f"{_count(len(graded), 'file')} from {_count(people, 'person', 'people')}; "
    text += f"{len(done)} graded. What counts are the functions that each notebook defines, "
    return f"<p>{text}judged by the official checks; what its cells display does not.</p>"


def _count(n, one, many=None):
    return f"{n} {one if n == 1 else many or one + 's'}"


def _by_exercise(rows):
    found = defaultdict(list)
    for row in rows:
        for verdict in row.verdicts:
            found[verdict.exercise].append((row, verdict))
    return found


def _stuck(rows):
    """The exercises, those that most people have not passed first."""
    lines = []
    for name, pairs in _by_exercise(rows).items():
        counts = {state: _people(r for r, v in pairs if v.status == state) for state in STATES}
        lines.append((name, pairs[0][1].number, [len(c) for c in counts.values()]))
    lines.sort(key=lambda line: (line[2][0], -line[2][1], line[1]))
    cells = [[f"{number} {_code(name)}", *counts] for name, number, counts in lines]
    title = "Where the class is stuck: people per exercise, the least passed first"
    return _table(title, ("exercise", *STATES), cells)


STATES = ("passed", "not yet", "not attempted")


def _people(rows):
    return sorted({row.person for row in rows}, key=str.casefold)


def _mistakes(rows):
    """The mistakes, the most frequent first, with what one of these people would read."""
    found = defaultdict(list)
    for pairs in _by_exercise(rows).values():
        for row, verdict in pairs:
            if verdict.status == "not yet":
                found[verdict.number, verdict.exercise, verdict.mistake].append((row, verdict))
    if not found:
        return "<p>No mistakes.</p>"
    cells = []
    for (number, name, mistake), pairs in found.items():
        people = _people(row for row, _ in pairs)
        names = ", ".join(map(_name, people))
        cells.append([len(people), f"{number} {_code(name)}", escape(mistake), names])
    cells.sort(key=lambda line: (-line[0], line[1]))
    head = ("people", "exercise", "mistake", "who")
    return _table("Which mistakes: the most frequent first", head, cells, row_heads=False)


def _questions(rows):
    counts = defaultdict(lambda: dict.fromkeys(ANSWERS, 0))
    for row in rows:
        for question, kind in row.answers.items():
            counts[question][kind] += 1
    if not counts:
        return ""
    cells = [[escape(question), *kinds.values()] for question, kinds in counts.items()]
    return _table("Predict-first questions (not graded)", ("question", *ANSWERS), cells)


def _overview(rows):
    """A line for each notebook: passed, not yet and which mistake, not attempted."""
    exercises = [(v.number, v.exercise) for v in rows[0].verdicts]
    head = ["person", "passed", *(f"{number} {name}" for number, name in exercises)]
    cells = []
    for row in rows:
        passed = f"{_passed(row)} of {len(row.verdicts)}"
        cells.append([_name(row.person), passed, *map(_state, row.verdicts)])
    return _table("Person by person, in short", head, cells)


def _state(verdict):
    text = verdict.status + (f": {verdict.mistake}" if verdict.mistake else "")
    return _Marked(verdict.status, f"{LOOK[verdict.status][0]} {escape(text)}")


def _person(row):
    """All about one notebook."""
    cells = [
        [f"{v.number} {_code(v.exercise)}", _state(v), _Long(_prose(v.message))]
        for v in row.verdicts
    ]
    parts = [f'<section class="person"><h3>{_name(row.person)}</h3>', f"<p>{_code(row.file)}</p>"]
    if row.remarks:
        parts.append(_list(row.remarks))
    title = f"Exercises of {_name(row.person)}: {_passed(row)} of {len(row.verdicts)} passed"
    parts.append(_table(title, ("exercise", "state", "what the check says"), cells, plain=False))
    if row.answers:
        said = ", ".join(f"{escape(q)} {kind}" for q, kind in row.answers.items())
        parts.append(f"<p>Questions: {said}.</p>")
    return "\n".join([*parts, "</section>"])


class _Marked(str):
    """HTML of a cell that shows a state."""

    def __new__(cls, state, html):
        self = super().__new__(cls, html)
        self.kind = state.replace(" ", "-")
        return self


class _Long(str):
    """HTML of a cell with sentences in it."""

    kind = "text"


def _table(
    caption: str, head: Any, rows: list[list], row_heads: bool = True, plain: bool = True
) -> str:
    """An HTML table. Cells are HTML or numbers; `plain` captions and heads are escaped."""
    breakable = (escape(h).replace("_", "_<wbr>") for h in head)
    heads = "".join(f'<th scope="col">{h}</th>' for h in breakable)
    body = []
    for row in rows:
        first, *others = row
        start = f'<th scope="row">{first}</th>' if row_heads else _cell(first)
        body.append(f"<tr>{start}{''.join(map(_cell, others))}</tr>")
    title = escape(caption) if plain else caption
    parts = [
        '<div class="wide" tabindex="0"><table>',
        f"<caption>{title}</caption>",
        f"<thead><tr>{heads}</tr></thead>",
        "<tbody>",
        *body,
        "</tbody></table></div>",
    ]
    return "\n".join(parts)


def _cell(content):
    kind = "number" if isinstance(content, int) else getattr(content, "kind", "")
    return f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"


def _name(person):
    return f"<bdi>{escape(person)}</bdi>"  # so that letters of any script leave the rest in order


def _code(text):
    return f"<code>{escape(text)}</code>"


def _prose(text):
    """Escaped text in which `code` is set as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _list(texts):
    return "<ul>" + "".join(f"<li>{_prose(text)}</li>" for text in texts) + "</ul>"
