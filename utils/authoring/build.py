"""Build the notebooks: `python -m utils.authoring.build [NAME ...] [--fresh]`, or `make build`.

Each solutions/NN_name.py becomes notebooks/NN_name.ipynb (the learner's, with stubs and never run),
tests/executed/NN_name.ipynb (the same with its outputs, for nbval to compare) and
solutions/NN_name.ipynb (solved and executed). All are executed and verified before the first is
written, and nobody's changes are written over.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from utils.authoring import anywhere
from utils.authoring.execution import clean, execute, keep_volatile, verify
from utils.authoring.source import (
    BuildError,
    Known,
    Lesson,
    Task,
    cell_label,
    read_lesson,
    source_path,
)

ROOT = Path(__file__).parents[2]
LESSON_FILE = "[0-9][0-9]_*"
FOLDERS = ("notebooks", "tests/executed", "solutions")
MANIFEST = ".build/manifest.json"
AT_A_TIME = 2
COMPARED = ("id", "cell_type", "source", "metadata")


class Job(NamedTuple):
    """One notebook to execute, the status its reports must show, and the files it becomes.

    Paths are from the root: `path` gets the executed notebook, `unrun`, if any, the one not run.
    """

    path: str
    notebook: NotebookNode
    tasks: dict[str, Task]
    status: str
    unrun: str = ""

    @property
    def paths(self) -> list[str]:
        return [self.unrun, self.path] if self.unrun else [self.path]


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line. Returns the exit status: 1, after one message, where the build stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.authoring.build",
        description="Build the executed notebooks from solutions/NN_name.py.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="01 or 01_rnn_cell; default: all")
    parser.add_argument(
        "--fresh", action="store_true", help="store new timings too (cells nbval-ignore-output)"
    )
    options = parser.parse_args(argv)
    try:
        for path, verb, seconds in build(root, options.names, registry(), options.fresh):
            print(f"{path}  {verb}  {seconds:.1f} s")
    except (BuildError, OSError) as error:
        print(f"The build stopped.\n{error}", file=sys.stderr)
        return 1
    return 0


def registry() -> Known:
    """What the check registry knows; imported here so that the rest does without the checks."""
    from utils.checks.registry import EXERCISES, QUESTIONS

    return Known(frozenset(EXERCISES), frozenset(QUESTIONS))


def build(
    root: Path, names: Iterable[str], known: Known, fresh: bool = False
) -> list[tuple[str, str, float]]:
    """Build the named lessons (none named: all); returns (path, "written" or "unchanged", seconds).

    Raises BuildError, and then has written nothing, where a source is wrong, a cell fails, a report
    isn't as it must be, or a notebook on disk has changes that would be lost.
    """
    lessons = [(name, load(root, name, known)) for name in select(names, lesson_names(root))]
    jobs = [job for name, lesson in lessons for job in lesson_jobs(name, lesson)]
    paths = [path for job in jobs for path in job.paths]
    refuse_changed(root, paths)
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        futures = [pool.submit(run, job, root, fresh) for job in jobs]
        try:
            built = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    refuse_changed(root, paths)  # again: executing takes a while, and somebody may have saved
    return [
        (path, write(root, path, content), seconds)
        for contents, seconds in built
        for path, content in contents.items()
    ]


def lesson_names(root: Path) -> list[str]:
    """The lessons that have a source, in order. Raises BuildError if there is none."""
    names = sorted(path.stem for path in (root / "solutions").glob(f"{LESSON_FILE}.py"))
    if not names:
        raise BuildError("there is no lesson: no file solutions/NN_name.py")
    return names


def select(wanted: Iterable[str], names: list[str]) -> list[str]:
    """The names that were asked for, by number or in full, in order; all if none was.

    Raises BuildError for one that doesn't exist.
    """
    wanted = set(wanted)
    for name in sorted(wanted - set(names) - {name[:2] for name in names}):
        raise BuildError(f"there is no lesson {name}; the lessons are: {', '.join(names)}")
    return [name for name in names if not wanted or {name, name[:2]} & wanted]


def load(root: Path, name: str, known: Known) -> Lesson:
    """The lesson's two notebooks, not executed. Raises BuildError."""
    try:
        text = (root / source_path(name)).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BuildError(f"{source_path(name)}: not UTF-8: {error}") from None
    return anywhere.complete(read_lesson(text, name, known), name, anywhere.project(root))


def lesson_jobs(name: str, lesson: Lesson) -> list[Job]:
    """The two notebooks to execute for a lesson."""
    unrun, executed, solved = (f"{folder}/{name}.ipynb" for folder in FOLDERS)
    return [
        Job(executed, lesson.learner, lesson.tasks, "not attempted", unrun),
        Job(solved, lesson.solved, lesson.tasks, "passed"),
    ]


def run(job: Job, root: Path, fresh: bool) -> tuple[dict[str, bytes], float]:
    """Execute and verify one notebook; returns its files' contents and the seconds it took.

    Raises BuildError with file, cell and reason.
    """
    start = time.perf_counter()
    target = root / job.path
    contents = {path: as_bytes(job.notebook) for path in job.paths}  # as it is before it is run
    try:
        execute(job.notebook, target.parent)
        verify(job.notebook, job.tasks, job.status)
    except BuildError as error:
        raise BuildError(f"{job.path}, {error}") from None
    stored = read_notebook(target) if target.exists() and not fresh else None
    if stored:
        keep_volatile(job.notebook, stored)
    clean(job.notebook)
    contents[job.path] = as_bytes(job.notebook)
    return contents, time.perf_counter() - start


def as_bytes(notebook: NotebookNode) -> bytes:
    """A notebook as it stands in its file."""
    return (nbformat.writes(notebook) + "\n").encode()


def refuse_changed(root: Path, paths: list[str]) -> None:
    """Raises BuildError if a file has changed since both the last commit and the last build."""
    hashes = read_manifest(root)
    changed = [
        path
        for path in paths
        if (root / path).exists()
        and digest((root / path).read_bytes()) != hashes.get(path)
        and not is_committed(root, path)
    ]
    if changed:
        raise BuildError(
            "Nothing was written, because these notebooks have changes that would be lost:\n"
            + "".join(f"  {path}\n" for path in changed)
            + "Commit them, move them away, or delete them; then build again."
        )


def is_committed(root: Path, path: str) -> bool:
    """Whether the file is as in the last commit; False where there is no git or no commit."""
    try:
        head = subprocess.run(["git", "show", f"HEAD:./{path}"], cwd=root, capture_output=True)
    except FileNotFoundError:
        return False
    # git may give files other line ends on Windows
    now = (root / path).read_bytes().replace(b"\r\n", b"\n")
    return head.returncode == 0 and head.stdout == now


def read_manifest(root: Path) -> dict[str, str]:
    """The sha256 of each notebook as last built; empty if there is none that can be read."""
    try:
        hashes = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def write(root: Path, path: str, content: bytes) -> str:
    """Write a notebook, and its hash into the manifest. Returns "written" or "unchanged"."""
    target = root / path
    unchanged = target.exists() and target.read_bytes() == content
    if not unchanged:
        replace_file(target, content)
    hashes = read_manifest(root) | {path: digest(content)}
    replace_file(root / MANIFEST, json.dumps(hashes, indent=1, sort_keys=True).encode())
    return "unchanged" if unchanged else "written"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def out_of_step(root: Path, known: Known | None = None) -> list[str]:
    """What differs between the notebooks on disk and the sources, outputs aside. Executes nothing.

    One line each: a source that can't be built, a notebook that is missing, has no source, or has
    another cell source, id, metadata or tag than a rebuild would have, and one in notebooks/ that
    has been run.
    """
    known = known or registry()
    try:
        names = lesson_names(root)
    except BuildError as error:
        return [str(error)]
    differences = []
    for name in names:
        try:
            jobs = lesson_jobs(name, load(root, name, known))
        except BuildError as error:
            differences.append(str(error))
            continue
        for job in jobs:
            for path in job.paths:
                differences += compare(root, path, job.notebook)
            if job.unrun:
                differences += been_run(root, job.unrun)
    for folder in FOLDERS:
        for path in sorted((root / folder).glob(f"{LESSON_FILE}.ipynb")):
            # not "01_rnn_cell-Copy1": a copy made in JupyterLab is the learner's own business
            if re.fullmatch(r"\w+", path.stem) and path.stem not in names:
                differences.append(f"{folder}/{path.name}: there is no source {path.stem}.py")
    return differences


def compare(root: Path, path: str, rebuilt: NotebookNode) -> list[str]:
    """What differs between one notebook on disk and its rebuild, outputs aside."""
    if not (root / path).exists():
        return [f"{path}: missing; run the build"]
    stored = read_notebook(root / path)
    if stored is None:
        return [f"{path}: can't be read as a notebook"]
    differences = []
    if stored.metadata != rebuilt.metadata:
        differences.append(f"{path}: the notebook's metadata differ")
    if len(stored.cells) != len(rebuilt.cells):
        counts = f"{len(stored.cells)} cells, its source gives {len(rebuilt.cells)}"
        differences.append(f"{path}: has {counts}")
    for number, (old, new) in enumerate(zip(stored.cells, rebuilt.cells, strict=False), start=1):
        keys = [key for key in COMPARED if old.get(key) != new[key]]
        if keys:
            label = cell_label(number, new.source)
            differences.append(f"{path}, {label}: differs in {', '.join(keys)}")
    return differences


def been_run(root: Path, path: str) -> list[str]:
    """Which cells of a notebook on disk have an output or a number; none if it can't be read."""
    notebook = read_notebook(root / path) if (root / path).exists() else None
    return [
        f"{path}, {cell_label(number, cell.source)}: has been run"
        for number, cell in enumerate(notebook.cells if notebook else [], start=1)
        if cell.get("outputs") or cell.get("execution_count")
    ]


def read_notebook(path: Path) -> NotebookNode | None:
    """The notebook on disk, or None if the file doesn't hold one."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, TypeError, KeyError, AttributeError, nbformat.ValidationError):
        return None


if __name__ == "__main__":
    sys.exit(main())
