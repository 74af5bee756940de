"""What the reading edition is built from, and the look over what was built. Sphinx isn't run."""

import importlib
import pkgutil
import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import utils
from utils.authoring import book
from utils.authoring.figures import figure_in
from utils.authoring.source import BuildError

NAMES = book.lesson_names(book.ROOT)
PAGES = book.site_pages()


def notebooks(name):
    """The learner's and the solved notebook."""
    paths = (book.ROOT / folder / f"{name}.ipynb" for folder in ("notebooks", "solutions"))
    return [book.read_notebook(path) for path in paths]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The folder that Sphinx would build from."""
    folder = tmp_path_factory.mktemp("book") / "source"
    book.prepare(folder, "")
    return folder


def figures(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [figure for figure in map(figure_in, outputs) if figure]


# Lessons


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_its_stub_then_its_solution_behind_a_toggle_then_its_report(name):
    learner, solved = notebooks(name)
    cells = book.lesson_page(name, learner, solved).cells
    tasks = [cell for cell in solved.cells if cell.id.startswith(("exercise-", "question-"))]
    assert tasks
    for ours in tasks:
        (stub,) = (cell.source for cell in learner.cells if cell.id == ours.id)
        (at,) = (i for i, cell in enumerate(cells) if cell.source == stub)
        toggle, report = cells[at + 1 : at + 3]
        assert toggle.source.startswith("<details><summary>Show the ")
        assert f"```python\n{ours.source}\n```" in toggle.source
        assert (report.source, report.outputs) == (ours.source, ours.outputs)
        assert report.metadata.tags == ["remove-input"]
        hides_report = "</details>" not in toggle.source
        assert hides_report == ours.id.startswith("question-")
        assert not hides_report or cells[at + 3].source == "</details>"
    shown = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert shown.count("\n    ...\n") >= sum(cell.id.startswith("exercise-") for cell in tasks)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_there_with_its_description(name):
    learner, solved = notebooks(name)
    shown = figures(book.lesson_page(name, learner, solved))
    assert shown == figures(solved)
    assert all(figure.alt for figure in shown)


@pytest.mark.parametrize("name", NAMES)
def test_toggles_are_closed_and_there_is_one_title(name):
    cells = book.lesson_page(name, *notebooks(name)).cells
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert prose.count("<details>") == prose.count("</details>")
    plain = re.sub("^```.*?^```", "", prose, flags=re.S | re.M)
    assert len(re.findall("^# ", plain, re.M)) == 1
    assert f"notebooks/{name}.ipynb" in cells[0].source
    assert not re.search(r"`solutions/\w+\.ipynb`", prose)


def test_a_slider_is_mentioned_and_not_shown():
    cell = new_code_cell("@interact(k=3)\ndef f(k): ...", outputs=[new_output("execute_result")])
    title = new_markdown_cell("# A")
    page = book.lesson_page(
        "a", new_notebook(cells=[title, cell]), new_notebook(cells=[title, cell])
    )
    assert page.cells[1].outputs == []
    assert page.cells[2].source == book.SLIDER


# Links


@pytest.mark.parametrize(
    ("folder", "text", "expected"),
    [
        ("notebooks", "[next](02_sequence_unrolling.ipynb)", "[next](02_sequence_unrolling.ipynb)"),
        ("notebooks", "[up](../README.md#start)", "[up](index.md#start)"),
        ("", "[plans](docs/instructors.md)", "[plans](instructors.md)"),
        ("", "![painted](docs/reader.png)", "![painted](reader.png)"),
        ("docs", "[sheet](grading.md#grade)", "[sheet](grading.md#grade)"),
        ("docs", "[here](#collect) [there](https://z2jh.jupyter.org)", None),
        ("docs", "`a[0](x)` and\n```python\nf[x](y)\n```", None),
        ("", "[MIT](LICENSE) and [all](.)", "MIT and all"),
    ],
)
def test_links_lead_to_the_pages(folder, text, expected):
    assert book.map_links(text, folder, PAGES, "") == (expected or text)


def test_links_to_other_files_lead_to_the_repository_where_it_is_known():
    mapped = book.map_links("[MIT](../LICENSE), [all](..)", "docs", PAGES, "ada/rnn")
    where = "https://github.com/ada/rnn"
    assert mapped == f"[MIT]({where}/blob/HEAD/LICENSE), [all]({where})"


def test_a_link_to_nothing_stops_the_build():
    with pytest.raises(BuildError, match=r"\[x\]\(gone.md\)"):
        book.map_links("[x](gone.md)", "docs", PAGES, "")


def test_everything_is_there_to_build_from(source):
    made = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert set(PAGES.values()) <= made
    assert {f"api/{module}.md" for module in book.MODULES} <= made
    mathjax = source / "_mathjax" / "mathjax"
    assert "cdn." not in (mathjax / book.MATHJAX[0]).read_text(encoding="utf-8")
    assert list((mathjax / book.MATHJAX[1]).glob("*.woff"))


# The functions


def test_every_public_module_has_a_page():
    modules = {module.name for module in pkgutil.iter_modules(utils.__path__)}
    public = {name for name in modules if not name.startswith("_")}
    assert set(book.MODULES) == public - {"authoring", "hand_out", "lab"}


@pytest.mark.parametrize("module", book.MODULES)
def test_docstrings_keep_their_words_and_columns(module):
    text = importlib.import_module(f"utils.{module}").__doc__
    rst = "\n".join(book.as_rst(text.splitlines()))
    assert re.sub(r"[\\`:\s]", "", rst) == re.sub(r"[\\`:\s]", "", text)


def test_a_docstring_of_formulas_is_set_line_by_line():
    rst = book.as_rst(["The memory h_t, of `run`, |x|*2.", "", "    h_t = a", "    o_t = b", ""])
    assert rst == [
        r"The memory h\_t, of \ ``run``\ , \|x\|\*2.",
        "",
        *("::", "", "       h_t = a", "       o_t = b", ""),
    ]


# The look over the built pages

GOOD = '<h1 id="top">A</h1><a href="b.html#part">b</a><img src="c.png" alt="c">'


def site(folder, html):
    """A site of two pages, the first of which is `html`."""
    (folder / "a.html").write_text(html, encoding="utf-8")
    (folder / "b.html").write_text('<p id="part"><a href="a.html">a</a></p>', encoding="utf-8")
    (folder / "c.png").write_bytes(b"")
    return book.problems(folder)


def test_nothing_is_said_about_a_good_site(tmp_path):
    assert site(tmp_path, GOOD + '<a href="https://example.org">elsewhere</a>') == []


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="gone.html">x</a>', "a link to nothing: gone.html"),
        ('<a href="b.html#gone">x</a>', "a link to nothing: b.html#gone"),
        ('<a href="#gone">x</a>', "a link to nothing: #gone"),
        ('<a href="../outside.html">x</a>', "a link to nothing: ../outside.html"),
        ('<img src="gone.png" alt="x">', "a link to nothing: gone.png"),
        ('<img src="c.png">', "an image without a description: c.png"),
        ('<img src="c.png" alt="">', "an image without a description: c.png"),
        (
            '<script src="https://cdn.example.org/x.js"></script>',
            "asks another address: https://cdn.example.org/x.js",
        ),
        (
            '<link rel="stylesheet" href="//example.org/x.css">',
            "asks another address: //example.org/x.css",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path, html, said):
    assert site(tmp_path, GOOD + html) == [f"a.html: {said}"]


def test_a_style_sheet_may_not_ask_another_address(tmp_path):
    (tmp_path / "x.css").write_text('@import "https://example.org/font.css"; b { c: url(d.png) }')
    assert site(tmp_path, GOOD) == ["x.css: asks another address: https://example.org/font.css"]
