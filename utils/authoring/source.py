"""From a lesson's source text to its two notebooks, in memory. Nothing is executed or written.

The source is a Python file in jupytext's percent format. A solution sits between the lines
`### BEGIN SOLUTION` and `### END SOLUTION`: the solved notebook keeps the code without the markers,
the learner's notebook has a stub in its place.
"""

import ast
import hashlib
import re
from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

import jupytext
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
# Alone on its line: a double click takes the dots and leaves the indentation, a triple click leaves
# no rest of the stub behind.
STUB = "..."

# Without version numbers: a build with another Python gives the same bytes.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_KEYS = {"tags", "slideshow"}
JUPYTEXT_KEYS = {"title", "cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"}

NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class BuildError(Exception):
    """What stops the build, in words for the author; `line` counts from 0 within the cell."""

    def __init__(self, reason: str, line: int = 0):
        super().__init__(reason)
        self.line = line


class Known(NamedTuple):
    """The exercises (function names) and questions ("3.2") that have a check."""

    exercises: frozenset[str]
    questions: frozenset[str]


class Task(NamedTuple):
    """What a cell asks of the learner: ("exercise", "cell_forward") or ("question", "3.2")."""

    kind: str
    id: str


class Lesson(NamedTuple):
    """Both notebooks of a lesson, not executed. `tasks` gives the task of a cell by cell id."""

    learner: NotebookNode
    solved: NotebookNode
    tasks: dict[str, Task]


def read_lesson(text: str, name: str, known: Known) -> Lesson:
    """The lesson `name` ("01_rnn_cell") made from its source text.

    Raises BuildError, with file, cell, line and reason, where the notebooks can't be made.
    """
    learner, solved, tasks, count = [], [], {}, Counter()
    for number, (first_line, cell) in enumerate(numbered_cells(text, name), start=1):
        try:
            metadata = kept_metadata(cell.metadata)
            if cell.cell_type == "code":
                answer, stub, task = read_code(cell.source, known)
            else:
                refuse_markers(cell.source)
                answer, stub, task = cell.source, cell.source, None
            id_ = cell_id(name, cell.cell_type, answer, task)
            count[id_] += 1
            if task and count[id_] > 1:
                raise BuildError(f"{task.kind} {task.id} is in an earlier cell already")
        except BuildError as error:
            place = f"{source_path(name)}, {cell_label(number, cell.source)}"
            raise BuildError(f"{place}, line {first_line + error.line}: {error}") from None
        if count[id_] > 1:
            id_ += f"-{count[id_]}"
        if task:
            tasks[id_] = task
        new_cell = NEW_CELL[cell.cell_type]
        learner.append(new_cell(stub, id=id_, metadata=metadata))
        solved.append(new_cell(answer, id=id_, metadata=metadata))
    return Lesson(
        new_notebook(cells=learner, metadata=METADATA),
        new_notebook(cells=solved, metadata=METADATA),
        tasks,
    )


def source_path(name: str) -> str:
    """Where a lesson's source lies, from the root of the repository."""
    return f"solutions/{name}.py"


def cell_label(number: int, source: str) -> str:
    """How a message names a cell: by number (from 1) and first line."""
    first = next((line.strip() for line in source.splitlines() if line.strip()), "")
    return f"cell {number} ({first})"


def numbered_cells(text: str, name: str) -> list[tuple[int, NotebookNode]]:
    """The cells of a source, each with the line number of its first line.

    Raises BuildError where jupytext can't read the text, or something stands before the first cell.
    """
    lines = text.splitlines()
    start = 0
    if lines and lines[0] == "# ---" and "# ---" in lines[1:]:  # jupytext's own header
        start = lines.index("# ---", 1) + 1
    while start < len(lines) and not lines[start].strip():
        start += 1
    if start == len(lines):
        raise BuildError(f"{source_path(name)}: there is no cell in it")
    if not is_cell_header(lines[start]):
        reason = "text before the first cell; begin with a line `# %%` or `# %% [markdown]`"
        raise BuildError(f"{source_path(name)}, line {start + 1}: {reason}")
    try:
        cells = jupytext.reads("\n".join(lines[start:]), fmt="py:percent").cells
    except ValidationError as error:
        reason = f"a cell header gives something a notebook can't hold: {error.message}"
        raise BuildError(f"{source_path(name)}: {reason}") from None

    numbered = []
    for cell in cells:
        while not is_cell_header(lines[start]):
            start += 1
        numbered.append((start + 2, cell))  # + 1: after the header, + 1: counted from 1
        start += 1 + len(cell.source.split("\n")) if cell.source else 1  # a `# %%` in a string
    return numbered


def is_cell_header(line: str) -> bool:
    """Whether jupytext begins a cell at this line."""
    return bool(re.match(r"\s*#\s*(%%(%*\s|$)|(<codecell>|In\[[0-9 ]*\]:?)\s*$)", line))


def kept_metadata(metadata: dict) -> dict:
    """A cell's metadata without what jupytext notes for itself.

    Raises BuildError for anything else: a misspelt key would be lost without a word.
    """
    unknown = set(metadata) - KEPT_KEYS - JUPYTEXT_KEYS
    if metadata.get("title", "").startswith("["):
        unknown.add("title")
    if unknown:
        wrong = ", ".join(f"{key}: {metadata[key]}" for key in sorted(unknown))
        reason = 'expected `# %%` or `# %% [markdown]`, then tags=["…"]'
        raise BuildError(f"the cell header is not understood ({wrong}); {reason}", line=-1)
    return {key: metadata[key] for key in metadata if key in KEPT_KEYS}


def read_code(source: str, known: Known) -> tuple[str, str, Task | None]:
    """A code cell's solved source, its learner's source and its task, if it has one.

    Raises BuildError for a wrong region, a wrong or unknown task, or source that is not Python.
    """
    regions = find_regions(source)
    solved = replace_regions(source, regions)
    task = find_task(solved, "the cell")
    if task is None:
        if regions:
            reason = "a solution region in a cell that calls neither check nor answer"
            raise BuildError(reason, line=regions[0][0])
        return solved, solved, None
    if not regions:
        raise BuildError(f"{task.kind} {task.id} has no solution region")
    learner = replace_regions(source, regions, STUB)
    if find_task(learner, "with its stub, the cell") != task:
        reason = "the call of check or answer is inside the solution region"
        raise BuildError(reason, line=regions[0][0])
    if task.id not in (known.exercises if task.kind == "exercise" else known.questions):
        raise BuildError(f"{task.kind} {task.id} is not known to the check registry")
    return solved, learner, task


def find_regions(source: str) -> list[tuple[int, int]]:
    """The line indices (BEGIN, END) of each solution region. Raises BuildError for a wrong one."""
    lines = source.split("\n")
    regions, begin = [], None
    for i, line in enumerate(lines):
        if line.strip() == BEGIN:
            if begin is not None:
                raise BuildError("a solution region begins inside another", line=i)
            begin = i
        elif line.strip() == END:
            if begin is None:
                raise BuildError("a solution region is closed that was never opened", line=i)
            if all(is_blank_or_comment(inside) for inside in lines[begin + 1 : i]):
                raise BuildError("the solution region is empty", line=begin)
            regions.append((begin, i))
            begin = None
        elif looks_like_marker(line):
            raise BuildError(f"a misspelt marker; write exactly `{BEGIN}` or `{END}`", line=i)
    if begin is not None:
        raise BuildError("the solution region is not closed", line=begin)
    return regions


def is_blank_or_comment(line: str) -> bool:
    return not line.strip() or line.strip().startswith("#")


def looks_like_marker(line: str) -> bool:
    """Whether a line is, or was probably meant as, one of the two markers."""
    _, hash_, comment = line.partition("#")
    if hash_ and re.search(r"\b(BEGIN|END)[\s_-]*SOLUTION", comment):
        return True
    words = re.findall("[A-Z]+", comment.upper())
    if not line.strip().startswith("#") or len(words) not in (1, 2):
        return False
    if len(words) == 1:
        return max(likeness(words[0], "BEGINSOLUTION"), likeness(words[0], "ENDSOLUTION")) > 0.85
    verb = max(likeness(words[0], "BEGIN"), likeness(words[0], "END"))
    return verb > 0.65 and likeness(words[1], "SOLUTION") > 0.75


def likeness(a: str, b: str) -> float:
    """From 0 (no letter in common) to 1 (equal)."""
    return SequenceMatcher(None, a, b).ratio()


def refuse_markers(source: str) -> None:
    """Raises BuildError for a marker in a cell that isn't code."""
    for i, line in enumerate(source.split("\n")):
        if line.strip().startswith("#") and looks_like_marker(line):
            raise BuildError("a solution marker outside a code cell", line=i)


def replace_regions(source: str, regions: list[tuple[int, int]], stub: str | None = None) -> str:
    """The source with each region replaced by a stub; without one, only the markers go."""
    lines = source.split("\n")
    for begin, end in reversed(regions):
        indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
        lines[begin : end + 1] = lines[begin + 1 : end] if stub is None else [indent + stub]
    return "\n".join(lines)


def find_task(source: str, subject: str) -> Task | None:
    """What a code cell asks: the function it checks, or the question it answers, or None.

    Raises BuildError (beginning with `subject`) if the cell isn't Python, calls check in another
    form than `name = check(name)`, asks twice, or doesn't define the function it checks.
    """
    tree = parse(source, subject)
    calls = [node for node in ast.walk(tree) if called_name(node) in ("check", "answer")]
    if not calls:
        return None
    if len(calls) > 1:
        raise BuildError("one exercise or question a cell: check or answer is called again")
    call = calls[0]
    if called_name(call) == "answer":
        match call.args:
            case [ast.Constant(value=str(question)), _]:
                return Task("question", question)
        raise BuildError('the form is answer("3.2", value)')
    for statement in tree.body:
        match statement:
            case ast.Assign(
                targets=[ast.Name(target)],
                value=ast.Call(ast.Name("check"), [ast.Name(checked)], []),
            ) if target == checked:
                if not any(isinstance(d, ast.FunctionDef) and d.name == target for d in tree.body):
                    raise BuildError(f"{subject} checks {target} but does not define it")
                return Task("exercise", target)
    raise BuildError("the form is name = check(name), on a line of its own")


def parse(source: str, subject: str) -> ast.Module:
    """The syntax tree of a cell; IPython's magics are allowed. Raises BuildError."""
    try:
        return compile(
            TransformerManager().transform_cell(source),
            "<cell>",
            "exec",
            flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
    except SyntaxError as error:
        raise BuildError(f"{subject} is not Python: {error.msg}") from None


def called_name(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Name(name)):
            return name
    return None


def cell_id(name: str, cell_type: str, source: str, task: Task | None) -> str:
    """A cell's id: of its task, else of its content, so that it stays when cells come and go.

    Raises BuildError for a task whose name gives an id that a notebook can't hold.
    """
    if task is None:
        return hashlib.sha256("\n".join([name, cell_type, source]).encode()).hexdigest()[:8]
    id_ = f"{task.kind}-{task.id}".replace("_", "-").replace(".", "-")
    if not re.fullmatch(r"[a-zA-Z0-9-]{1,64}", id_):
        raise BuildError(f"{id_!r} can't be a cell's id: only a-z, 0-9 and -, at most 64")
    return id_
