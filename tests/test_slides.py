"""The slides: nothing of a lesson is missing, each fits on a screen, and none needs a network."""

import re
from html.parser import HTMLParser

import nbformat
import pytest

from utils.authoring import slides
from utils.authoring.figures import figure_in
from utils.checks.registry import EXERCISES

NAMES = [name for name in slides.lesson_names(slides.ROOT) if name[:2] in slides.LESSONS]
CELLS = {
    name: nbformat.read(slides.ROOT / f"solutions/{name}.ipynb", as_version=4).cells
    for name in NAMES
}
DECKS = {
    name: slides.read_cells(nbformat.v4.new_notebook(cells=cells)) for name, cells in CELLS.items()
}
SLIDES = {
    name: [slide for section in deck.slides() for slide in section] for name, deck in DECKS.items()
}


class Page(HTMLParser):
    """What a page asks for, the figures' descriptions, and its text by the tag it stands in."""

    def __init__(self, html):
        super().__init__()
        self.urls, self.alts, self.headings, self.scripts, self.tag = [], [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tag = tag
        self.urls += [value for key, value in attrs if key in ("src", "href", "data", "srcset")]
        self.alts += [value for key, value in attrs if key == "alt"]
        self.headings += [""] if tag in ("h1", "h2") else []

    def handle_data(self, data):
        if self.tag in ("h1", "h2"):
            self.headings[-1] += data

    def handle_endtag(self, tag):
        self.tag = "" if tag in ("h1", "h2") else self.tag


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder with all pages."""
    folder = tmp_path_factory.mktemp("slides")
    slides.write(folder, NAMES)
    return folder


def prose(name):
    return "\n\n".join(cell.source for cell in CELLS[name] if cell.cell_type == "markdown")


def test_there_are_four_lessons():
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("name", NAMES)
def test_every_section_has_its_slide(name, pages):
    page = Page((pages / f"{name}.html").read_text(encoding="utf-8"))
    titles = re.findall(r"^##? (.+?)(?: · \d+ minutes?)?$", prose(name), re.M)
    assert page.headings == titles


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_a_page_asks_for_nothing_outside_its_folder(name, pages):
    html = (pages / f"{name}.html").read_text(encoding="utf-8")
    styled = re.sub("<script>.*?</script>", "", html, flags=re.S)
    for url in [*Page(html).urls, *re.findall(r"url\(['\"]?([^'\")]+)", styled)]:
        assert url.startswith(("data:", "#")) or (pages / url).is_file(), url[:80]
    assert "@import" not in html
    # what remains is names, in licences and of XML's own
    hosts = set(re.findall(r"https?://([\w.-]+)", html))
    assert hosts <= {"www.w3.org", "revealjs.com", "hakim.se", "www.mathjax.org"} | {
        "github.com",  # of the Markdown reader's licence, in the speaker's window
        "marked.js.org",
    }


def test_the_index_links_to_all_lessons(pages):
    links = Page((pages / "index.html").read_text(encoding="utf-8")).urls
    assert links == [f"{name}.html" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_described(name, pages):
    page = Page((pages / f"{name}.html").read_text(encoding="utf-8"))
    outputs = [output for cell in CELLS[name] for output in cell.get("outputs", [])]
    assert page.alts == [figure.alt for figure in map(figure_in, outputs) if figure]


@pytest.mark.parametrize("name", NAMES)
def test_a_slide_fits_on_the_screen(name):
    for slide in SLIDES[name]:
        assert slides.total_height(slides.enlarge(slide.blocks)) <= slides.HEIGHT, slide.heading
        code = [block for block in slide.blocks if block.kind == "code"]
        assert sum(block.lines for block in code) <= 14, slide.heading
        for block in slide.blocks:
            sizes = re.findall(r"font-size:(\d+)px", block.html)
            assert all(20 <= int(size) <= 30 for size in sizes)


@pytest.mark.parametrize("exercise", [e for e in EXERCISES.values() if e.number[0] in "1234"])
def test_an_exercise_has_its_card_and_then_its_solution(exercise):
    name = next(name for name in NAMES if name[1] == exercise.number[0])
    text = [plain("".join(block.html for block in slide.blocks)) for slide in SLIDES[name]]
    (card,) = (i for i, t in enumerate(text) if f"Exercise {exercise.number} ·" in t)
    assert f"def {exercise.name}(" in text[card]
    (cell,) = (c for c in CELLS[name] if f"\n{exercise.name} = check(" in c.source)
    _, _, solved = cell.source.partition(f"\n\n\n{exercise.name} = check")[0].split('"""')
    shown = "\n".join(text[card + 1 : card + 3])
    assert f"def {exercise.name}(" in shown
    for line in filter(str.strip, solved.split("\n")):
        assert line in shown
    assert "Stuck?" not in text[card] + shown
    assert "Hint 1" not in text[card] + shown
    notes = "".join(note for block in SLIDES[name][card].blocks for note in block.notes)
    assert notes.count("<strong>Hint") == 3


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_its_answer_under_a_key(name):
    html = "".join(block.html for slide in SLIDES[name] for block in slide.blocks)
    asked = re.findall(r"^\*\*Question (\d\.\d)\*\*", prose(name), re.M)
    assert re.findall(r"<strong>Question (\d\.\d)</strong>", html) == asked
    assert html.count('<p class="fragment answer">Answer ') == len(asked)


@pytest.mark.parametrize("name", NAMES)
def test_no_prose_is_lost(name):
    blocks = [block for slide in SLIDES[name] for block in slide.blocks]
    html = [part for block in blocks for part in [block.html, *block.notes]]
    shown = plain("\n".join([*DECKS[name].opening, *html]).replace("<p>", "\n"))
    sections = re.sub("^#+ .*", "", prose(name), flags=re.M)
    without_links = re.sub(r"\]\(.*?\)", "]", sections)
    written = "\n".join(re.findall(r"^[\w*(].*", without_links, re.M))
    assert set(re.findall("[A-Za-z]{4,}", written)) <= set(re.findall("[A-Za-z]{4,}", shown))


def plain(html):
    text = re.sub("<[^>]+>", "", html)
    for entity, letter in {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'"}.items():
        text = text.replace(entity, letter)
    return text.replace("&#39;", "'").replace("&amp;", "&")


def notebook(*cells):
    new = {"md": nbformat.v4.new_markdown_cell, "py": nbformat.v4.new_code_cell}
    opening = [("md", "# 9 · A lesson\n\n**5 minutes**. You see it.", ""), ("py", "import os", "")]
    made = [*opening, ("md", "## One · 5 minutes", ""), *cells]
    return nbformat.v4.new_notebook(
        cells=[
            new[kind](text, metadata={"slideshow": {"slide_type": type_}} if type_ else {})
            for kind, text, type_ in made
        ]
    )


def test_a_cell_may_say_otherwise():
    deck = slides.read_cells(
        notebook(
            ("md", "Shown.", ""),
            ("md", "On the next.", "slide"),
            ("py", "plumbing()", "skip"),
            ("py", "aside()", "notes"),
            ("md", "Said.", "notes"),
        )
    )
    ((one, two),) = deck.slides()
    assert (deck.title, deck.minutes, deck.sentence) == ("9 · A lesson", "5", "You see it.")
    assert [block.html for block in one.blocks + two.blocks] == [
        "<p>Shown.</p>",
        "<p>On the next.</p>",
    ]
    assert two.blocks[0].notes == ["<pre>aside()</pre>", "<p>Said.</p>"]


def test_what_a_slide_shows_of_a_paragraph():
    long = "The first sentence says something that is long enough to stand alone. "
    rest = "Then comes a second (with brackets. And more.) that goes on for quite a while, and on. "
    assert slides.gist(long) == long.strip()
    assert slides.gist(long + rest + rest) == long.strip()
    assert slides.gist(long + rest + "Here is the **point**.") == "Here is the **point**."
    assert slides.gist(long + rest + rest + "So it follows that the sum of all is this:").endswith(
        "the sum of all is this:"
    )
    assert slides.gist("(An aside. Nothing more.)") == ""


def test_long_code_is_cut_where_it_is_least_indented():
    lines = ["def f():", *["    a = 1"] * 9, "", "", "def g():", *["    b = 2"] * 9]
    first, second = slides.cut(lines)
    assert second[0] == "def g():"
    assert len(first) <= 14 >= len(second)
    assert [line for part in (first, second) for line in part if line] == [x for x in lines if x]


def test_only_links_to_slides_remain():
    assert slides.render("[x](04_gradient_accumulation.ipynb)") == (
        '<p><a href="04_gradient_accumulation.html">x</a></p>'
    )
    assert slides.render("[x](05_language_model.ipynb), [y](https://a.b)") == "<p>x, y</p>"


def test_names_of_steps_are_set_as_such():
    assert slides.inline("from h_{t-1} to h_t, `h_t`, max_norm") == (
        "from h<sub>t-1</sub> to h<sub>t</sub>, <code>h_t</code>, max_norm"
    )
