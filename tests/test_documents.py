"""What the repository says of itself is so: links, times, versions, the picture."""

import importlib
import inspect
import re
import tomllib

import pytest
import yaml

import utils
from utils.authoring import book, picture
from utils.authoring.build import ROOT, lesson_names, read_notebook
from utils.checks.registry import QUESTIONS

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_broken(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in map(slug, headings), link


def test_every_image_is_described():
    for page in PAGES:
        for description in re.findall(r"!\[(.*?)\]\(", page.read_text(encoding="utf-8")):
            assert len(description) > 30, page


@pytest.mark.parametrize("name", lesson_names(ROOT))
def test_the_syllabus_has_every_lesson_with_its_time(name):
    opening = (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")
    minutes = re.search(r"\*\*(\d+) minutes\*\*", opening)[1]
    (row,) = [line for line in README.splitlines() if f"(notebooks/{name}.ipynb)" in line]
    assert row.endswith(f"| {minutes} min |")


def prose(text):
    """Markdown without code and formulas."""
    return re.sub(r"^```.*?^```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.S | re.M)


def of_lessons():
    for name in lesson_names(ROOT):
        for cell in read_notebook(ROOT / "solutions" / f"{name}.ipynb").cells:
            if cell.cell_type == "markdown":
                yield prose(cell.source)


def of_functions():
    """Docstrings as the book shows them, without what is set line by line."""
    for name in book.MODULES:
        module = importlib.import_module(f"utils.{name}")
        functions = [f for f in vars(module).values() if inspect.isfunction(f)]
        for thing in (module, *functions):
            lines = (inspect.getdoc(thing) or "").splitlines()
            yield "\n".join(line for line in book.as_rst(lines) if not line.startswith(" "))


def of_replies():
    for question in QUESTIONS.values():
        yield from (question.because, *question.replies.values())


def of_pages():
    return (prose(page.read_text(encoding="utf-8")) for page in PAGES)


@pytest.mark.parametrize("texts", [of_lessons, of_functions, of_replies, of_pages])
def test_no_formula_stands_raw_in_a_sentence(texts):
    r"""As h_{t-1} in place of $h_{t-1}$."""
    assert [text for text in texts() if re.search(r"\w_\\?\{", text)] == []


def test_the_picture_is_the_one_of_lesson_2():
    assert picture.PICTURE.read_bytes() == picture.picture(), "run `make build`"


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d\S*)", changes, re.M)[1]
    assert project["version"] == citation["version"] == newest == utils.__version__
    assert project["license"] == citation["license"]
