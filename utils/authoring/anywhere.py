"""What lets a lesson run anywhere: its first code cell, and links to where it opens by itself.

Both follow the one address under [project.urls] in pyproject.toml. The build puts them into the
notebooks; `python -m utils.authoring.anywhere` writes the links into README.md.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from utils.authoring.source import Lesson
from utils.environment import installable

ROOT = Path(__file__).parents[2]
CELL = "start"  # the id of the first code cell

TEMPLATE = """\
# Finds the workbook's tools{or_fetches}. If nothing appears below, all is well.
from importlib.util import find_spec
from IPython.core.error import UsageError  # shown as a sentence

{fetch}try:
    from utils.environment import ready
except Exception:
    if other := find_spec("utils"):
        path = other.origin or list(other.submodule_search_locations)[0]
        raise UsageError(f"Another utils is in the way: {{path}}. Rename it, restart the kernel.")
    raise UsageError("{absent}")
ready("{version}")"""
FETCH = """\
if not find_spec("utils"):
    %pip install --quiet "{address}"
"""
NOT_HERE = "The workbook's tools are not here. Get its whole folder, start as its README says."
NOT_FETCHED = "The workbook's tools could not be fetched. Go online, restart the kernel."

BEGIN, END = "<!-- links: written by `make build` -->", "<!-- end of links -->"


class Project(NamedTuple):
    """From pyproject.toml: the version, and the address of the repository."""

    version: str
    repository: str


def project(root: Path) -> Project | None:
    """What pyproject.toml says; None for a folder of lessons without one."""
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    table = tomllib.loads(text)["project"]
    return Project(table["version"], table["urls"]["Repository"])


def complete(lesson: Lesson, name: str, project: Project | None) -> Lesson:
    """The lesson with its first code cell in both notebooks and, for the learner, the links."""
    if project is None:
        return lesson
    for notebook in (lesson.learner, lesson.solved):
        kinds = [cell.cell_type for cell in notebook.cells]
        if "code" in kinds:
            cell = new_code_cell(first_cell(project), id=CELL)
            notebook.cells.insert(kinds.index("code"), cell)
    opening = lesson.learner.cells[0]
    if (line := links(project.repository, name)) and opening.cell_type == "markdown":
        title, _, rest = opening.source.partition("\n")
        opening.source = "\n".join([title, "", line, rest])
    return lesson


def first_cell(project: Project) -> str:
    """The source of the first code cell."""
    address = installable(project.repository)
    return TEMPLATE.format(
        or_fetches=", or fetches them" if address else "",
        fetch=FETCH.format(address=address) if address else "",
        absent=NOT_FETCHED if address else NOT_HERE,
        version=project.version,
    )


def is_first(cell: NotebookNode) -> bool:
    """Whether it is that cell, which readers of book and slides have no use for."""
    return cell.get("id") == CELL


def links(repository: str, name: str) -> str:
    """A line of links that open the lesson `name` elsewhere; "" without an address on GitHub."""
    github = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?/?", repository)
    if not github or installable(repository) is None:
        return ""
    path = f"notebooks/{name}.ipynb"
    colab = f"https://colab.research.google.com/github/{github[1]}/blob/main/{path}"
    binder = f"https://mybinder.org/v2/gh/{github[1]}/main?urlpath=lab/tree/{path}"
    codespaces = f"https://codespaces.new/{github[1]}"
    return (
        "Opens with nothing installed: "
        f"[in Colab]({colab}) · [on Binder]({binder}) · [in a Codespace]({codespaces})"
    )


def readme(text: str, repository: str) -> str:
    """README with the links to lesson 0 in their place. Raises ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no lines\n{BEGIN}\n{END}")
    line = links(repository, "00_start_here")
    return before + begin + (f"\n{line}\n\n" if line else "") + end + after


def main() -> int:
    """The command."""
    path = ROOT / "README.md"
    text = readme(path.read_text(encoding="utf-8"), project(ROOT).repository)
    path.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
