"""The reading edition: `python -m utils.authoring.book`, or `make book`.

Everything is put together in .build/book/source and built from there by Sphinx, with the settings
in docs/book/, into .build/book/html. No notebook is executed and no original is touched. What of a
lesson becomes its page:

- The solved notebook, with its outputs as stored.
- At an exercise or question the learner's stub, then the solution or the answer behind a toggle.
- Where the notebook has a slider, a word that it has. One title a page. Not the first code cell,
  which gets the tools.

A link that leads nowhere, an image without a description, or a page that asks for anything from
another address stops the build.
"""

import os
import posixpath
import re
import shutil
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from utils.authoring import mathjax
from utils.authoring.anywhere import is_first
from utils.authoring.build import ROOT, lesson_names, out_of_step, read_notebook
from utils.authoring.source import BuildError

SETTINGS = ROOT / "docs" / "book"
TARGET = ROOT / ".build" / "book"
MODULES = (  # in the order of the lessons
    *("checks", "cell", "loss", "unroll", "reader", "bptt", "gradcheck", "optim"),
    *("accumulation", "torch_bridge", "data_parallel", "launch", "language_model"),
    *("lstm", "gru", "gates", "data", "plots", "environment"),
)
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2")  # all that the pages use of it

NOTE = """:::{{admonition}} For reading
:class: note
Nothing runs on this page. To do the lesson, [set the workbook up](../README.md#start)
and open `my-notebooks/{name}.ipynb`. Here it is to download:
{{download}}`{name}.ipynb <notebooks/{name}.ipynb>`.
:::"""
SLIDER = "*In the notebook you move this with sliders.*"
STUCK = re.compile(r"read the[\s>]+solution in[\s>]+`solutions/\w+\.ipynb`")
TITLE = re.compile(r"(?s:^```.*?^```)|^# ", re.M)  # or code, in which that is a comment
# what a link is not: code, in fences or in the line
LINK = re.compile(
    r"(?s:^(?P<fence>```+).*?^(?P=fence))|(?P<tick>`+).+?(?P=tick)"
    r"|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)",
    re.M,
)
FOREIGN = re.compile(r"(https?:)?//", re.I)


# The pages, from the repository's files


def site_pages() -> dict[str, str]:
    """The pages and pictures of the site, each by its file's path in the repository."""
    pages = {"README.md": "index.md"}
    for name in lesson_names(ROOT):
        pages[f"notebooks/{name}.ipynb"] = pages[f"solutions/{name}.ipynb"] = f"{name}.ipynb"
    for path in sorted((ROOT / "docs").glob("*.*")):
        pages[f"docs/{path.name}"] = path.name
    return pages


def map_links(text: str, folder: str, pages: dict[str, str], repository: str) -> str:
    """Markdown from a `folder` of the repository, with its links led to the pages of the site.

    A link to another file goes to the repository on GitHub; where its name ("owner/name") is not
    known, only the words stay. Raises BuildError for a link to nothing.
    """

    def lead(match: re.Match) -> str:
        target = match["target"]
        if target is None or target.startswith("#") or urlsplit(target).scheme:
            return match[0]
        path, hash_, fragment = target.partition("#")
        path = posixpath.normpath(posixpath.join(folder, path))
        if path in pages:
            return f"{match['image']}[{match['text']}]({pages[path]}{hash_}{fragment})"
        if not (ROOT / path).exists():
            raise BuildError(f"a link to nothing: {match[0]}")
        url = f"https://github.com/{repository}/blob/HEAD/{path}".removesuffix("/blob/HEAD/.")
        return f"[{match['text']}]({url}{hash_}{fragment})" if repository else match["text"]

    return LINK.sub(lead, text)


def lesson_page(name: str, learner: NotebookNode, solved: NotebookNode) -> NotebookNode:
    """The notebook that Sphinx makes a lesson's page of."""
    cells = []
    for ours, theirs in zip(solved.cells, learner.cells, strict=True):
        if is_first(ours):
            continue
        if ours.cell_type == "markdown":
            text = STUCK.sub("open the solution below", ours.source)
            cells.append(new_markdown_cell(TITLE.sub(lower, text) if cells else text))
        elif task := asked(ours):
            cells += task_cells(task, theirs.source, ours)
        elif re.search(r"\binteract\(", ours.source):
            cells += [new_code_cell(ours.source), new_markdown_cell(SLIDER)]
        else:
            cells.append(new_code_cell(ours.source, outputs=ours.outputs))
    title, _, rest = cells[0].source.partition("\n")
    cells[0].source = "\n".join([title, "", NOTE.format(name=name), rest])
    for number, cell in enumerate(cells):  # the same at each build
        cell.id = f"cell-{number}"
    return nbformat.v4.new_notebook(cells=cells, metadata=solved.metadata)


def lower(match: re.Match) -> str:
    """A title as the heading of a section; anything else as it is."""
    return "## " if match[0] == "# " else match[0]


def asked(cell: NotebookNode) -> dict | None:
    """What a code cell asks of the learner, by its report: {"kind": "question", "id": "1.2", …}."""
    reports = (output.get("metadata", {}).get("workbook") for output in cell.outputs)
    return next(filter(None, reports), None)


def task_cells(task: dict, stub: str, solved: NotebookNode) -> list[NotebookNode]:
    """A stub; behind a toggle what takes its place; and the report, which a question hides too."""
    words = "the solution of" if task["kind"] == "exercise" else "the answer to question"
    summary = f"<summary>Show {words} <code>{escape(task['id'])}</code></summary>"
    toggle = f"<details>{summary}\n\n```python\n{solved.source}\n```"
    report = new_code_cell(  # MyST leaves out a cell without source
        solved.source, outputs=solved.outputs, metadata={"tags": ["remove-input"]}
    )
    if task["kind"] == "exercise":
        return [new_code_cell(stub), new_markdown_cell(f"{toggle}\n\n</details>"), report]
    end = new_markdown_cell("</details>")
    return [new_code_cell(stub), new_markdown_cell(toggle), report, end]


def module_page(module: str) -> str:
    """The page of a module's functions, which autodoc fills."""
    return f"""# utils.{module}

```{{eval-rst}}
.. automodule:: utils.{module}
   :members:
   :member-order: bysource
```
"""


def as_rst(lines: Iterable[str]) -> list[str]:
    """A docstring of ours, plain text with formulas, as reStructuredText that looks the same.

    Paragraphs stay paragraphs, with `code` set as code. A block that is indented, or has columns,
    is set line by line.
    """
    result = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.split("\n")
        if any(re.search(r"^\s|\S {2,}\S", row) for row in rows):
            result += ["::", "", *("   " + row for row in rows), ""]
        else:
            result += [*map(escaped, rows), ""]
    return result


def escaped(line: str) -> str:
    """A line in which reStructuredText finds no markup but `code`."""
    parts = line.split("`")
    if len(parts) % 2 == 0:
        parts = ["\\`".join(parts)]
    plain = (re.sub(r"([\\*|_])", r"\\\1", part) for part in parts[::2])
    code = (f"\\ ``{part}``\\ " for part in parts[1::2])
    return "".join(piece for pair in zip(plain, [*code, ""], strict=True) for piece in pair)


# The build


def prepare(source: Path, repository: str) -> None:
    """Fill the folder `source` with everything that Sphinx builds from."""
    pages = site_pages()
    shutil.rmtree(source, ignore_errors=True)
    (source / "api").mkdir(parents=True)
    (source / "notebooks").mkdir()

    def copy(path: str, name: str) -> None:
        text = (ROOT / path).read_text(encoding="utf-8")
        write(source / name, map_links(text, posixpath.dirname(path), pages, repository))

    copy("README.md", "README.md")  # parts of which are on the front page
    copy("docs/book/index.md", "index.md")
    for path in sorted((ROOT / "docs").glob("*.*")):
        if path.suffix == ".md":
            copy(f"docs/{path.name}", path.name)
        else:
            shutil.copy(path, source)
    for name in lesson_names(ROOT):
        learner, solved = (
            read_notebook(ROOT / folder / f"{name}.ipynb") for folder in ("notebooks", "solutions")
        )
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", source / "notebooks")  # to download
        page = lesson_page(name, learner, solved)
        for cell in page.cells:
            if cell.cell_type == "markdown":
                cell.source = map_links(cell.source, "notebooks", pages, repository)
        write(source / f"{name}.ipynb", nbformat.writes(page))
    for module in MODULES:
        write(source / "api" / f"{module}.md", module_page(module))
    copy_mathjax(source / "_mathjax" / "mathjax")


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def copy_mathjax(folder: Path) -> None:
    """What the pages need of MathJax, a twentieth of it, without the address of a server."""
    script, fonts = MATHJAX
    shutil.copytree(mathjax.FOLDER / fonts, folder / fonts)
    write(folder / script, mathjax.script(script))


def problems(folder: Path) -> list[str]:
    """What is wrong in the pages of a built site, one line each."""
    soups = {
        path.relative_to(folder).as_posix(): BeautifulSoup(path.read_bytes(), "html.parser")
        for path in sorted(folder.rglob("*.html"))
    }
    anchors = {
        name: {tag.get("id") or tag.get("name") for tag in soup.find_all(is_anchor)} | {""}
        for name, soup in soups.items()
    }
    found = []
    for name, soup in soups.items():
        for tag in soup.find_all(True):
            if tag.name == "img" and not tag.get("alt", "").strip():
                found.append(f"{name}: an image without a description: {tag.get('src', '')[:80]}")
            loads = tag.get("src") or (tag.name == "link" and tag.get("href")) or ""
            if FOREIGN.match(loads):
                found.append(f"{name}: asks another address: {loads}")
            for address in filter(None, (tag.get("src"), tag.get("href"))):
                if leads_nowhere(address, name, folder, anchors):
                    found.append(f"{name}: a link to nothing: {address}")
    for path in sorted(folder.rglob("*.css")):
        for address in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", path.read_text()):
            if FOREIGN.match(address):
                found.append(f"{path.relative_to(folder)}: asks another address: {address}")
    return found


def is_anchor(tag) -> bool:
    return tag.has_attr("id") or (tag.name == "a" and tag.has_attr("name"))


def leads_nowhere(address: str, page: str, folder: Path, anchors: dict[str, set[str]]) -> bool:
    """Whether an address on a page of the site is of a file or a place there that doesn't exist."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return False
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path)))
    path = path if parts.path else page
    if path in anchors:
        return unquote(parts.fragment) not in anchors[path]
    return path.startswith("..") or not (folder / path).is_file()


def build(source: Path, html: Path) -> int:
    """Run Sphinx. Returns its exit status: any warning counts as a failure."""
    from sphinx.cmd.build import main as sphinx

    shutil.rmtree(html, ignore_errors=True)
    options = ["-W", "--keep-going", "-n", "-q", "-j", "2", "-E", "-d", str(html.parent / "trees")]
    return sphinx([*options, "-b", "html", "-c", str(SETTINGS), str(source), str(html)])


def main() -> int:
    """The command. Returns the exit status."""
    source, html = TARGET / "source", TARGET / "html"
    try:
        if stale := out_of_step(ROOT):
            raise BuildError("\n".join(["Run `make build` first:", *stale[:3]]))
        prepare(source, os.environ.get("GITHUB_REPOSITORY", ""))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    if status := build(source, html):
        return status
    if found := problems(html):
        print(*found, sep="\n", file=sys.stderr)
        return 1
    print(f"The reading edition: {html.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
