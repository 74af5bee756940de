"""Grade a folder of submitted notebooks: `python -m utils.authoring.grade FOLDER [--out FOLDER2]`.

Writes grades.csv and grades.html (docs/grading.md shows them) into the current folder, or into
FOLDER2. A grades.csv that is there already is left as it is: the new pair is called grades-2.

**Whose notebook.** In a sub-folder of FOLDER, the person is the sub-folder, however deep the
notebook lies in it (as nbgrader and JupyterHub collect). Directly in FOLDER, the person is the file
name without the lesson's: ada_lovelace_01_rnn_cell.ipynb is ada_lovelace's. Which lesson it is, its
contents say; the file name is asked only where they don't.

**What is run.** Every cell that is not word for word in the lesson, and of the lesson's own cells
the statements that those need (grade_cells.py). So training and figures that nobody changed cost
nothing, and whatever somebody wrote is run. A statement that fails, hangs or ends the process is
left out, that is said, and the rest goes on. As in the notebook, a function that fails its check is
replaced by the workbook's own for what follows. Of several functions of one name the best counts.

**What is guarded.** Each notebook runs in a process of its own, in an empty folder, with limits on
time, memory and size of files, without your environment variables; all that it started is ended
afterwards. It never sees the official results: its process is asked to call its functions, and
what comes back is judged in this one (grade_run.py). So printing "passed", patching `check`,
replacing modules, editing the workbook's files or ending the process can't make a wrong function
pass. The workbook's package is read once at the start, and each process gets its own copy.
All submissions are read before the first one runs, and compared with the disk at the end.

**What is not guarded.** A function that calls the workbook's own, or copies the solution, gives
right values and passes: plain calls are remarked on, disguised ones are not. Code that answers in
the place of its function, inside its own process, can do what such a function can, and no more.
The processes run under your account, with its network (there is no portable way to cut it) and its
files: contain them as docs/grading.md says. Limits on memory hold exactly on Linux; on macOS and
Windows a watcher looks five times a second. Limits on time hold everywhere, those on the size of
files not on Windows. What leaves its process group and empties its environment may survive.
"""

import argparse
import contextlib
import hashlib
import json
import os
import py_compile
import re
import shutil
import stat
import sys
import tempfile
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from utils.authoring import grade_run, grade_sheet
from utils.authoring.grade_run import CannotStart, Limits, Submission, Verdict
from utils.checks import engine
from utils.checks.registry import EXERCISES, LESSONS

ROOT = Path(__file__).parents[2]
LARGEST = 50 * 2**20  # a notebook with all its figures has one or two MB
COPY = r"([ _-]*(copy\d*|\(\d+\)|-\d+))+$"  # what browsers, JupyterLab and course systems append


class CannotGrade(Exception):
    """There is nothing to grade, or nowhere to write: in words for whoever called."""


@dataclass(frozen=True)
class Lesson:
    """A lesson as the grader needs it.

    slug     "01_rnn_cell"         sources  the code cells of the notebook as handed out, by id
    """

    number: str
    title: str
    slug: str
    exercises: tuple[str, ...]
    questions: tuple[str, ...]
    sources: dict[str, str] = field(default_factory=dict)


@dataclass
class File:
    """A submitted file: whose it is, what is in it, or why that can't be had."""

    path: Path
    name: str  # from the folder down, as it can be shown
    person: str
    content: bytes = b""
    problem: str = ""
    lesson: Lesson | None = None
    cells: list[dict] = field(default_factory=list)


@dataclass
class Graded:
    """One row of the sheet. `problem`: why nothing could be graded."""

    person: str
    file: str
    lesson: Lesson | None = None
    problem: str = ""
    verdicts: list[Verdict] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def main(argv: list[str] | None = None) -> int:
    """The command line. Returns the exit status: 2, after one message, where nothing was graded."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.authoring.grade",
        description="Grade a folder of submitted notebooks. Their code is run: see docs/grading.md",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", help="the notebooks, or one sub-folder a person"
    )
    parser.add_argument("--out", metavar="FOLDER2", help="where to write (default: here)")
    parser.add_argument(
        "--jobs", type=int, default=cores(), help="how many at once (default: cores)"
    )
    parser.add_argument(
        "--seconds", type=float, default=Limits.submission, help="for one notebook (default: 180)"
    )
    parser.add_argument(
        "--memory", type=float, default=2.0, help="GB for one notebook (default: 2)"
    )
    options = parser.parse_args(argv)
    limits = Limits(submission=options.seconds, memory=int(options.memory * 2**30))
    try:
        grade_folder(options.folder, options.out, max(1, options.jobs), limits)
    except CannotGrade as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. No sheet was written.", file=sys.stderr)
        return 130
    return 0


def grade_folder(folder: str, out: str | None, jobs: int, limits: Limits) -> Path:
    """Grade and write the sheet; returns the path of the table. Raises CannotGrade."""
    if not folder:
        raise CannotGrade("Which folder? For example: make grade FROM=submissions")
    place = Path(folder)
    lessons = all_lessons()
    files = [understood(file, lessons) for file in collect(place, lessons)]
    if not files:
        raise CannotGrade(f"There is nothing to grade in {place}: no notebook (.ipynb) in it.")
    target = output_folder(place, out)
    package = snapshot()
    for name in {e for f in files if f.lesson for e in f.lesson.exercises}:
        engine.expected_of(EXERCISES[name])  # before anybody's code runs
    with reserved(target) as (table, page):
        graded = grade_all(files, package, jobs, limits)
        warnings = [*changed(files), *tampered(package)]
        people = sum(not g.problem for g in graded)
        rows = grade_sheet.table(graded)
        write(table, grade_sheet.csv_bytes(rows))
        write(page, grade_sheet.page(graded, warnings).encode("utf-8", "replace"))
    print(f"{people} of {len(graded)} graded.")
    for warning in warnings:
        print(f"WARNING: {warning}")
    print(f"{table}\n{page}")
    return table


def cores() -> int:
    """How many processors this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# Lessons ----------------------------------------------------------------------------------------


def all_lessons() -> list[Lesson]:
    """Every lesson of the workbook; one that isn't written yet has no sources."""
    return [_lesson(title, module) for title, module in LESSONS.items()]


def _lesson(title, module):
    number, *words = title.lower().split()
    words = words[1:] if words[0] in ("the", "a", "an") else words
    slug = f"{int(number):02d}_" + "_".join(words)
    exercises = tuple(e.name for e in module.EXERCISES)
    questions = tuple(q.number for q in module.QUESTIONS)
    sources = {}
    with contextlib.suppress(OSError, ValueError):
        notebook = json.loads((ROOT / "notebooks" / f"{slug}.ipynb").read_text(encoding="utf-8"))
        sources = {c["id"]: source_of(c) for c in notebook["cells"] if c["cell_type"] == "code"}
    return Lesson(number, title, slug, exercises, questions, sources)


def source_of(cell: dict) -> str:
    """A cell's text, as Jupyter shows it."""
    source = cell.get("source", "")
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return source.replace("\r\n", "\n").rstrip()


# Submissions ------------------------------------------------------------------------------------


def collect(folder: Path, lessons: list[Lesson]) -> list[File]:
    """All files that somebody handed in, read. Raises CannotGrade if there is no such folder."""
    if not folder.exists():
        raise CannotGrade(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise CannotGrade(f"{folder} is a file. Give the folder that it lies in.")
    files, others = [], []
    for path in sorted(_walk(folder)):
        parts = path.relative_to(folder).parts
        person = parts[0] if len(parts) > 1 else person_of(path.name, lessons)
        file = File(path, readable("/".join(parts)), readable(person))
        if path.suffix.lower() == ".ipynb":
            file.content, file.problem = _content(path)
            files.append(file)
        elif not (len(parts) == 1 and re.fullmatch(r"grades(-\d+)?\.(csv|html)", path.name)):
            file.problem = f"not a notebook: its name ends in {path.suffix or 'nothing'}"
            others.append(file)
    # Somebody's data or text beside a notebook is no submission; alone, it is one, of another kind.
    with_notebook = {file.person for file in files}
    return files + [file for file in others if files and file.person not in with_notebook]


def _walk(folder):
    for place, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".", "__"))]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _content(path):
    """A file's bytes, and why they can't be had ("" if they can)."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            return b"", "not a file, but a link or something else"
        if about.st_size > LARGEST:
            return b"", f"too large ({about.st_size / 2**20:.0f} MB): clear its outputs"
        return path.read_bytes(), ""
    except OSError as error:
        return b"", f"can't be read ({error.strerror})"


def person_of(name: str, lessons: list[Lesson]) -> str:
    """Whose file it is, by its name: what is left without the lesson's name."""
    stem = re.sub(COPY, "", Path(name).stem, flags=re.IGNORECASE)
    for lesson in lessons:
        before, found, after = stem.partition(lesson.slug)
        if found:
            return (before.strip(" _.-") or after.strip(" _.-")) or stem
    return stem


def readable(text: str) -> str:
    """A name that can be written down: no control characters, no tricks with the direction."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "backslashreplace").decode())
    return "".join(c if c.isprintable() or c == "\u200d" else f"\\u{ord(c):04x}" for c in text)


def understood(file: File, lessons: list[Lesson]) -> File:
    """The file with its cells and its lesson, or with the problem named."""
    if file.problem:
        return file
    cells, problem = read_cells(file.content)
    if problem:
        return replace(file, problem=problem)
    lesson = lesson_of(file.name, cells, lessons)
    if lesson is None:
        return replace(file, problem="of no lesson: no exercise of this workbook is in it")
    return replace(file, lesson=lesson, cells=cells)


def read_cells(content: bytes) -> tuple[list[dict], str]:
    """The cells of a notebook, and what is wrong with the file ("" if nothing)."""
    if not content.strip():
        return [], "damaged: the file is empty"
    try:
        notebook = json.loads(content)
    except UnicodeDecodeError:
        return [], "damaged, or not a notebook: it isn't text"
    except ValueError as error:
        start = content.decode("utf-8", "replace").strip()
        if not start.startswith("{"):
            return [], f"not a notebook, but text that begins “{' '.join(start[:40].split())}”"
        return [], f"damaged: no longer JSON ({error})"
    except RecursionError:
        return [], "damaged: nested without end"
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        if isinstance(notebook, dict) and "worksheets" in notebook:
            return [], "a notebook of an old kind (before 2015): open it in Jupyter and save it"
        return [], "not a notebook: JSON, but without cells"
    cells = notebook["cells"]
    if not all(isinstance(c, dict) and isinstance(c.get("cell_type"), str) for c in cells):
        return [], "damaged: a cell in it is no cell"
    return cells, ""


def lesson_of(name: str, cells: list[dict], lessons: list[Lesson]) -> Lesson | None:
    """The lesson that a notebook has most of; where it has nothing of any, the one in its name."""
    text = "\n".join(source_of(c) for c in cells if c["cell_type"] == "code")
    defined = set(re.findall(r"^\s*def\s+(\w+)|check\((\w+)\)", text, re.MULTILINE))
    defined = {name for pair in defined for name in pair if name}
    ids = {c.get("id") for c in cells if isinstance(c.get("id"), str)}

    def has(lesson):
        return (
            len(defined & set(lesson.exercises)) + len(ids & set(lesson.sources)),
            lesson.slug in name,
        )

    best = max(lessons, key=has)
    return best if any(has(best)) else None


# Grading ----------------------------------------------------------------------------------------


def grade_all(
    files: list[File], package: dict[str, bytes], jobs: int, limits: Limits
) -> list[Graded]:
    """Every file's row, by person. A progress bar goes to the standard error stream."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(grade_file, file, package, limits) for file in files]
        try:
            for _ in tqdm(as_completed(futures), "Grading", len(futures), unit="notebook"):
                pass
        except BaseException:
            grade_run.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            grade_run.stop.clear()
    graded = [future.result() for future in futures]
    _remark_on_several(graded)
    return sorted(graded, key=lambda g: (g.person.casefold(), g.lesson.number if g.lesson else ""))


def grade_file(file: File, package: dict[str, bytes], limits: Limits) -> Graded:
    """Run and judge one submission, whatever it is."""
    row = Graded(file.person, file.name, file.lesson, file.problem)
    if file.problem:
        return row
    code = [(k, source_of(c)) for k, c in enumerate(file.cells) if c["cell_type"] == "code"]
    lesson_sources = set(file.lesson.sources.values())
    own = {k for k, source in code if source not in lesson_sources}
    try:
        outcome = Submission(code, own, list(file.lesson.exercises), package, limits).run()
    except CannotStart as error:
        return replace(row, problem=f"its process could not be started: {error}")
    except Exception as error:  # whatever it is, the others are graded
        return replace(row, problem=f"the grader itself failed: {type(error).__name__}: {error}")
    row.verdicts = outcome.verdicts
    row.answers = {q: outcome.answers.get(q, "not answered") for q in file.lesson.questions}
    row.remarks = [*about_the_file(file), *outcome.problems[:3]]
    if len(outcome.problems) > 3:
        row.remarks.append(f"{len(outcome.problems) - 3} more cells fail")
    row.remarks += [f"{v.number}: {v.remark}" for v in row.verdicts if v.remark]
    row.remarks += claims(file.cells, row.verdicts)
    return row


def about_the_file(file: File) -> list[str]:
    """What is odd about the notebook as a whole: another lesson's name, cells missing or moved."""
    remarks, lesson = [], file.lesson
    named = [s for s in (les.slug for les in all_lessons()) if s in file.name]
    if named and lesson.slug not in named:
        remarks.append(f"The file is called {named[0]}, but this is lesson {lesson.title}")
    elif not named:
        remarks.append("Renamed: the lesson is known by what is in it")
    if not lesson.sources:
        return remarks
    ids = [c.get("id") for c in file.cells if c["cell_type"] == "code"]
    here = [k for k in ids if k in lesson.sources]
    if not here:  # other editors give other ids; then the text has to do
        by_text = {source: k for k, source in lesson.sources.items()}
        texts = [source_of(c) for c in file.cells if c["cell_type"] == "code"]
        here = [by_text[t] for t in texts if t in by_text]
        if not here:
            return [*remarks, "None of the lesson's cells is in it as it was handed out"]
    else:
        gone = [k for k in lesson.sources if k not in here]
        exercises = {f"exercise-{n.replace('_', '-')}": n for n in lesson.exercises}
        missing = [f"{EXERCISES[n].number} {n}" for k, n in exercises.items() if k in gone]
        if gone:
            text = f"{len(gone)} of the lesson's {len(lesson.sources)} code cells deleted"
            remarks.append(text + (f", among them {', '.join(missing)}" if missing else ""))
    order = [k for k in lesson.sources if k in here]
    if list(dict.fromkeys(here)) != order:
        remarks.append("Its cells are in another order than the lesson's")
    return remarks


def claims(cells: list[dict], verdicts: Iterable[Verdict]) -> list[str]:
    """Where exercises' cells display "passed" though their functions haven't."""
    numbers = []
    for verdict in verdicts:
        defines = re.compile(rf"^\s*def\s+{verdict.exercise}\b", re.MULTILINE)
        outputs = [c.get("outputs", []) for c in cells if defines.search(source_of(c))]
        shown = json.dumps(outputs, ensure_ascii=False)
        if verdict.status != "passed" and re.search(r"\bpassed\b", shown, re.IGNORECASE):
            numbers.append(verdict.number)
    return [f"{', '.join(numbers)}: the cell displays “passed”; it is not"] if numbers else []


def _remark_on_several(graded):
    seen = {}
    for row in graded:
        if row.lesson:
            seen.setdefault((row.person, row.lesson.number), []).append(row)
    for rows in seen.values():
        for row in rows if len(rows) > 1 else ():
            row.remarks.append(f"{len(rows)} notebooks of this lesson from this person")


# Files ------------------------------------------------------------------------------------------


def snapshot() -> dict[str, bytes]:
    """The workbook's package as it is now, compiled, and matplotlib's list of fonts.

    Each submission gets a copy of its own, so that none can change what another runs on.
    """
    package = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((ROOT / "utils").rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            package[name] = path.read_bytes()
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(package[name])
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            compiled = py_compile.compile(str(copy), doraise=True, invalidation_mode=mode)
            package[Path(compiled).relative_to(folder).as_posix()] = Path(compiled).read_bytes()
    import matplotlib

    for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        package[f"matplotlib/{path.name}"] = path.read_bytes()
    return package


def tampered(package: dict[str, bytes]) -> list[str]:
    """Files of the workbook that are no longer what they were at the start."""
    names = [n for n in package if n.startswith("utils/") and n.endswith(".py")]
    odd = [n for n in names if not _is(ROOT / n, package[n])]
    text = "changed while submissions ran; compare with the original (git diff)"
    return [f"{name} was {text}" for name in odd]


def changed(files: list[File]) -> list[str]:
    """Submissions that are no longer what was read at the start."""
    odd = [file.name for file in files if file.content and not _is(file.path, file.content)]
    text = "was changed while submissions ran; the sheet is about what was handed in"
    return [f"{name} {text}" for name in odd]


def _is(path, content):
    with contextlib.suppress(OSError):
        return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()
    return False


def output_folder(folder: Path, out: str | None) -> Path:
    """Where to write. Raises CannotGrade if that is among the submissions and nobody said so."""
    target = Path(out) if out is not None else Path.cwd()
    if out is None and target.resolve().is_relative_to(folder.resolve()):
        raise CannotGrade(
            "The sheet would be written among the submissions. Say where it shall go: --out FOLDER2"
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotGrade(f"{target} can't be made ({error.strerror}).") from None
    return target


@contextlib.contextmanager
def reserved(folder: Path):
    """Two new files, grades.csv and grades.html or grades-2.csv and …; gone if grading fails."""
    number, made = 1, []
    while not made:
        name = "grades" if number == 1 else f"grades-{number}"
        pair = [folder / f"{name}.csv", folder / f"{name}.html"]
        if not any(path.exists() for path in pair):
            try:
                for path in pair:
                    path.open("x").close()
                    made.append(path)
            except FileExistsError:
                for path in made:
                    path.unlink()
                made = []
            except OSError as error:
                raise CannotGrade(
                    f"Nothing can be written in {folder} ({error.strerror})."
                ) from None
        number += 1
    try:
        yield made
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes) -> None:
    """All or nothing, and whatever a submission may have put there is gone."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    shutil.move(part, path)


if __name__ == "__main__":
    sys.exit(main())
