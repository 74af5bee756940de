"""A lesson as an nbgrader assignment: `python -m utils.authoring.nbgrader NN FOLDER`.

Writes FOLDER/source/NN_name/NN_name.ipynb; docs/nbgrader.md says what to do with it. An exercise
becomes two cells: the learner's, with nbgrader's solution markers, and after it a locked one that
is worth points. There the function is graded before `check` puts a correct one in its place, for
the rest of the notebook. Predict-first questions are not graded.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from utils.authoring.build import ROOT, lesson_names, registry, select
from utils.authoring.source import BuildError, Known, numbered_cells, read_lesson, source_path

TEST = """\
from utils.checks import check, grade

assert not {name}.__module__.startswith("utils."), "run the cell that defines your {name}"
report = grade("{name}", {name})
{name} = check({name})
assert report.status == "passed", report.message or report.status"""


def assignment(text: str, name: str, known: Known) -> NotebookNode:
    """The source notebook for nbgrader, made from a lesson's source text. Raises BuildError."""
    lesson = read_lesson(text, name, known)
    cells, card = [], ""
    for (_, written), cell in zip(numbered_cells(text, name), lesson.learner.cells, strict=True):
        cell.metadata.pop("jupyter", None)  # nothing is hidden: there are no outputs yet
        cells.append(cell)
        task = lesson.tasks.get(cell.id)
        if cell.cell_type == "markdown":
            card = cell.source
        elif task and task.kind == "exercise":
            call = rf"^{task.id} = check\({task.id}\)\n?"
            cell.source = re.sub(call, "", written.source, flags=re.MULTILINE).rstrip()
            cell.metadata["nbgrader"] = settings(cell.id, solution=True)
            test = new_code_cell(TEST.format(name=task.id), id=f"{cell.id}-test")
            test.metadata["nbgrader"] = settings(test.id, points=max(1, card.count("●")))
            cells.append(test)
    lesson.learner.cells = cells
    return lesson.learner


def settings(grade_id: str, solution: bool = False, points: int = 0) -> dict:
    """nbgrader's cell metadata: a cell to be filled in, or a locked one worth points."""
    kind = {"solution": solution, "grade": not solution, "locked": not solution, "task": False}
    settings = {"grade_id": grade_id, "schema_version": 3, **kind}
    return settings | ({"points": points} if points else {})


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lesson", metavar="NN", help="01 or 01_rnn_cell")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="nbgrader's course folder")
    options = parser.parse_args(argv)
    try:
        (name,) = select([options.lesson], lesson_names(ROOT))
        text = (ROOT / source_path(name)).read_text(encoding="utf-8")
        notebook = assignment(text, name, registry())
        target = options.folder / "source" / name / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        print(target)
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
