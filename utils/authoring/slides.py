"""Slides of lessons 1 to 4, from their solved notebooks: `python -m utils.authoring.slides`.

Writes .build/slides/NN_name.html, each with everything inside (reveal.js, MathJax, fonts, figures),
and an index page. Nothing is executed. What of a lesson goes on a slide follows a rule:

- A heading begins a new slide, and so does an exercise; a question takes its table along.
- Tables, formulas, lists, questions, code, printed results and figures are shown. The code that
  draws a figure, widgets and the reports of the checks are not.
- A short paragraph is shown; of a longer one the sentences in which something stands in bold, or
  that lead to what follows, else the first. What comes just before a question is shown whole. The
  paragraph as it was is in the speaker's notes, and so are the hints and all code not shown.
- A question's answer is revealed by a key; an exercise's solution is the slide after its card.

Where a lesson knows better, a cell says so: slideshow={"slide_type": "slide"} begins a new slide,
"notes" moves the cell to the notes, "skip" leaves it out.
"""

import ast
import base64
import io
import re
import sys
import sysconfig
from html import escape
from pathlib import Path
from typing import NamedTuple

import matplotlib
from fontTools import subset
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from utils.authoring import mathjax
from utils.authoring.anywhere import is_first
from utils.authoring.build import ROOT, lesson_names, out_of_step, read_notebook
from utils.authoring.figures import Figure, figure_in

TARGET = ROOT / ".build" / "slides"
REVEAL = Path(sysconfig.get_path("purelib"), "sphinx_revealjs", "_static", "revealjs")
LESSONS = ("01", "02", "03", "04")

WIDTH, HEIGHT, GAP = 1216, 584, 14  # of what stands below the heading, at 1280 x 720
LINE, LETTERS = 43, 88  # a line of text: its height, and how many letters it holds
ROW = 49  # of a table
MOST_LINES = 14  # of code on a slide
MOST_TEXT = 6 * LINE  # of running text on a slide
SHORT, TINY = 165, 45  # letters in a paragraph that is shown whole; in a sentence that says little
SMALLEST, USUAL, LARGEST = 20, 22, 30  # pixels of code


class Block(NamedTuple):
    """A piece of a slide, with its height in pixels, as estimated, and what the speaker may say."""

    kind: str  # text, show (a table, list or formula), code, output, figure, question or card
    html: str
    height: float
    notes: list[str]
    lines: int = 0  # of code or output
    widest: int = 0  # the largest letters in which those lines fit, in pixels

    def at(self, size: int) -> "Block":
        """Code in letters of this size, or as large as fits; anything else as it is."""
        if not self.lines:
            return self
        size = max(SMALLEST, min(size, self.widest))
        html = re.sub(r"font-size:\d+px", f"font-size:{size}px", self.html, count=1)
        return self._replace(html=html, height=1.3 * size * self.lines + 16)


class Slide(NamedTuple):
    """Blocks under a heading: as read, any number of them; later, those that fit on a screen."""

    heading: str
    aside: str
    first: bool  # of a section
    blocks: list[Block]

    def html(self) -> str:
        tag = "h2" if self.first else "p"
        aside = f'<span class="aside">{self.aside}</span>' if self.aside else ""
        head = f'<div class="head"><{tag}>{inline(self.heading)}</{tag}>{aside}</div>'
        body = "\n".join(block.html for block in enlarge(self.blocks))
        notes = "\n".join(note for block in self.blocks for note in block.notes)
        return (
            f'<section><div class="slide">{head}\n{body}</div>'
            f'<aside class="notes">{notes}</aside></section>'
        )


class Deck:
    """What a lesson shows, as it is read: its title, and what stands under each heading."""

    def __init__(self):
        self.title, self.minutes, self.sentence = "", "", ""
        self.opening: list[str] = []  # for the notes of the title
        self.topic = ""  # the heading of what brings none
        self.sections: list[list[Slide]] = []

    def section(self, heading: str, aside: str) -> None:
        self.topic = heading
        self.sections.append([Slide(heading, aside, True, [])])

    def run(self, heading: str | None = None) -> None:
        """Whatever comes now begins a new slide."""
        last = self.sections[-1][-1]
        if not last.blocks and not last.first:
            self.sections[-1].pop()
        if last.blocks or not last.first:
            self.sections[-1].append(Slide(heading or self.topic, "", False, []))

    def add(self, block: Block) -> None:
        self.sections[-1][-1].blocks.append(block)

    def note(self, html: str) -> None:
        """Add to the notes of the block before."""
        for slide in reversed(self.sections[-1]):
            if slide.blocks:
                slide.blocks[-1].notes.append(html)
                return
        self.add(Block("text", "", 0, [html]))

    def slides(self) -> list[list[Slide]]:
        """The slides of each section."""
        return [
            [
                Slide(long.heading, long.aside if i == 0 else "", long.first and i == 0, blocks)
                for long in section
                for i, blocks in enumerate(share_out(long.blocks))
            ]
            for section in self.sections
        ]


def share_out(blocks: list[Block]) -> list[list[Block]]:
    """Blocks in order, on as few slides as hold them, parted where it hurts least."""
    best = [(0.0, [])]
    for end in range(1, len(blocks) + 1):
        ways = [
            (best[start][0] + cost(blocks, start, end), [*best[start][1], blocks[start:end]])
            for start in range(end)
        ]
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]


def cost(blocks: list[Block], start: int, end: int) -> float:
    """How bad a slide of blocks[start:end] would be; 1 is as bad as one slide more."""
    kinds = [block.kind for block in blocks[start:end]]
    used = total_height(blocks[start:end])
    text = sum(block.height for block in blocks[start:end] if block.kind == "text")
    code = sum(block.lines for block in blocks[start:end] if block.kind == "code")
    if len(kinds) > 1 and (used > HEIGHT or code > MOST_LINES):
        return 1000
    bad = 1 + 0.5 * (1 - used / HEIGHT) ** 2
    before = blocks[start - 1] if start else None
    if before and before.kind == "text" and kinds[0] != "text":  # it leads to what follows
        bad += 1.5 if before.html.endswith(":</p>") else 0.7
    if before and kinds[0] == "output":  # torn from its code
        bad += 1.5
    if before and before.kind == "output" and kinds[0] == "figure":  # of the same cell, often
        bad += 0.7
    if set(kinds) == {"text"}:
        bad += 0.4
    if text > MOST_TEXT:
        bad += 0.6
    if "question" in kinds:  # it is to stand alone, unless it asks about what is shown above it
        asks_back = " above" in blocks[end - 1].html
        bad += 1.3 * (asks_back != bool({"output", "figure"} & set(kinds)))
    return bad


def total_height(blocks: list[Block]) -> float:
    return sum(block.height for block in blocks) + GAP * (len(blocks) - 1)


def enlarge(blocks: list[Block]) -> list[Block]:
    """The blocks of a slide with the code as large as the space allows."""
    if any(block.kind == "figure" for block in blocks):  # the space is the figure's
        return blocks
    for size in range(LARGEST, USUAL, -1):
        larger = [block.at(size) for block in blocks]
        if total_height(larger) <= HEIGHT:
            return larger
    return blocks


# Markdown


def maths(tex: str, options: dict) -> str:
    return escape(rf"\[{tex.strip()}\]" if options["display_mode"] else rf"\({tex}\)")


MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
MARKDOWN.use(dollarmath_plugin, renderer=maths)


def subscripts(self, tokens: list, i: int, options: dict, env: dict) -> str:
    """Plain text, in which h_t and h_{t-1} are set as what they mean."""
    text = escape(tokens[i].content, quote=False)
    return re.sub(
        r"\b([A-Za-z]{1,2})_(?:\{(.+?)\}|([A-Za-z0-9])(?![A-Za-z0-9_]))", r"\1<sub>\2\3</sub>", text
    )


MARKDOWN.add_render_rule("text", subscripts)


def render(text: str) -> str:
    """Markdown as HTML. Of links only those to lessons that have slides remain."""

    def link(match: re.Match) -> str:
        lesson = re.fullmatch(r"(\d\d)_\w+\.ipynb", match[1])
        if lesson and lesson[1] in LESSONS:
            return f'<a href="{match[1][:-6]}.html">{match[2]}</a>'
        return match[2]

    return re.sub('<a href="(.*?)">(.*?)</a>', link, MARKDOWN.render(text), flags=re.S).strip()


def inline(text: str) -> str:
    return MARKDOWN.renderInline(text)


def pieces(text: str) -> list[str]:
    """The blocks of a Markdown text: what blank lines part, fenced code kept together."""
    found, fenced = [[]], False
    for line in text.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        if line.strip() or fenced:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph; brackets and bold are not torn apart."""
    found = []
    for part in re.split(r"(?<=[.?!:])\s+|(?<=[.?!]\*\*)\s+|(?<=[.?!]\))\s+", text):
        before = found[-1] if found else ""
        torn = before.count("(") > before.count(")") or before.count("**") % 2
        torn = torn or before.count("`") % 2 or before.count("$") % 2
        if found and (torn or before.endswith(":") or not re.match(r"[A-Z`*$(“]", part)):
            found[-1] += " " + part
        else:
            found.append(part)
    return found


def gist(paragraph: str) -> str:
    """What a slide shows of a paragraph; "" if nothing."""
    text = " ".join(paragraph.split())
    every = [s for s in sentences(text) if not re.fullmatch(r"\(.*\)", s)]
    if len(text) <= SHORT or text.startswith("**Next:**"):
        return " ".join(every)
    chosen = [s for s in every if "**" in s or (s is every[-1] and s.endswith(":"))]
    chosen = chosen or every[:1]
    if len(" ".join(chosen)) < TINY and every:
        chosen += every[every.index(chosen[-1]) + 1 :][:1]
    return " ".join(chosen)


def lines_of(text: str) -> int:
    """How many lines a piece of Markdown text takes, about."""
    plain = re.sub(r"\\[a-zA-Z]+|[{}$*`^_\\]", "", text)
    return max(1, -(-len(plain) // LETTERS))


# The blocks


def text_block(text: str) -> Block:
    return Block("text", render(text), LINE * lines_of(text), [])


def shown_block(text: str) -> Block:
    """A table, list or formula."""
    if text.startswith("|"):
        height = ROW * (len(text.split("\n")) - 1)
    elif text.startswith("$$"):
        height = 112 if re.search(r"\\frac|\\underbrace", text) else 62
        return Block("show", f'<div class="maths">{render(text)}</div>', height, [])
    else:
        items = re.split(r"\n(?=- |\d\. )", text)
        height = sum(4 + LINE * lines_of(item) for item in items)
    return Block("show", render(text), height, [])


def code_block(lines: list[str], kind: str = "code") -> Block:
    """Python code, or what it printed ("output"), in letters as large as its lines allow."""
    text = "\n".join(lines)
    python = highlight(text, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")
    inner = python if kind == "code" else escape(text)
    widest = int(WIDTH / (0.602 * max(1, *map(len, lines))))
    html = f'<pre class="{kind}" style="font-size:0px">{inner}</pre>'
    return Block(kind, html, 0, [], len(lines), widest).at(USUAL)


def cut(lines: list[str], most: int = MOST_LINES) -> list[list[str]]:
    """Lines of code in parts that fit on a slide, cut where the code is least indented."""
    parts = []
    while len(lines) > most:
        count = -(-len(lines) // most)
        even = len(lines) / count

        def harm(i: int, lines: list[str] = lines, even: float = even) -> tuple:
            line = lines[i]
            indent = len(line) - len(line.lstrip()) if line.strip() else -1
            return (bool(re.match(r"\s*[)\]}]", line)), indent, abs(i - even))

        first = max(2, len(lines) - most * (count - 1))
        i = min(range(first, most + 1), key=harm)
        parts.append(lines[:i])
        lines = lines[i:]
        while not lines[0].strip():
            lines = lines[1:]
    return [*parts, lines]


def figure_block(figure: Figure, code: str) -> Block:
    header = base64.b64decode(figure.png[:48])
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
    address = f"data:image/png;base64,{figure.png}"
    html = f'<div class="figure"><img alt="{escape(figure.alt)}" src="{address}"></div>'
    return Block("figure", html, min(0.8 * WIDTH * height / width, 350), [listing(code)])


# The cells of a lesson


def read_cells(notebook: NotebookNode) -> Deck:
    """What the slides of a solved notebook show."""
    deck, setting_up = Deck(), True
    for cell, after in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        slide_type = cell.metadata.get("slideshow", {}).get("slide_type", "")
        if is_first(cell):
            continue
        if setting_up and cell.cell_type == "code":  # the imports
            setting_up = False
        elif slide_type == "notes":
            markdown = cell.cell_type == "markdown"
            deck.note(render(cell.source) if markdown else listing(cell.source))
        elif slide_type != "skip":
            if slide_type == "slide":
                deck.run()
            read_cell(deck, cell, after)
    return deck


def read_cell(deck: Deck, cell: NotebookNode, after: NotebookNode | None) -> None:
    """Add a cell; `after` is the one that follows it."""
    if cell.cell_type == "markdown":
        read_markdown(deck, cell.source, after)
    elif cell.id.startswith("exercise-"):
        for lines in cut(solution(cell)):
            deck.run(f"Solution · `{defined(cell).name}`")
            deck.add(code_block(lines))
        deck.run()
    elif not cell.id.startswith("question-"):
        read_code(deck, cell)


def read_markdown(deck: Deck, source: str, after: NotebookNode | None) -> None:
    """Add a text cell. Its question or card is about the cell after it."""
    for text, summary, hidden in re.findall(
        r"(.*?)(?:<details><summary>(.*?)</summary>(.*?)</details>|\Z)", source, re.S
    ):
        blocks = pieces(re.sub("^---$", "", text, flags=re.M))
        asked = [i for i, block in enumerate(blocks) if re.match(r"\*\*Question \d", block)]
        for i, block in enumerate(blocks[: asked[0] if asked else None]):
            read_block(deck, block, after, whole=[i + 1] == asked)
        if asked:
            question(deck, blocks[asked[0] :], after)
        if summary.startswith("Hint"):
            deck.note(f"<p><strong>{summary}</strong></p>{render(hidden)}")
        elif summary:
            deck.run(summary)
            deck.add(shown_block(hidden.strip()))
            deck.run()


def read_block(deck: Deck, block: str, after: NotebookNode | None, whole: bool) -> None:
    """Add one block of a text cell; a paragraph as a whole, or what matters of it."""
    if match := re.match(r"# (.*)", block):
        if deck.title:
            deck.section(match[1], "")
        else:
            deck.title = match[1]
    elif match := re.match(r"## (.*?) · (\d+ minutes?)$", block):
        deck.section(match[1], match[2])
    elif not deck.sections:
        if match := re.search(r"\*\*(\d+) minutes\*\*", block):
            deck.minutes = match[1]
        rest = block[block.find(". ") + 2 :] if match else block
        deck.opening.append(render(block))
        deck.sentence = max(deck.sentence, *sentences(" ".join(rest.split())), key=len)
    elif match := re.match(r"### (.*)", block):
        deck.topic = match[1]
        deck.run()
    elif block.startswith(">"):
        card(deck, block, after)
    elif block.startswith("```"):
        for lines in cut(block.split("\n")[1:-1]):
            deck.add(code_block(lines))
    elif re.match(r"\||\$\$|- |1\. ", block):
        deck.add(shown_block(block))
    else:
        if shown := block if whole else gist(block):
            deck.add(text_block(shown))
        if shown.split() != block.split():
            deck.note(render(block))


def question(deck: Deck, blocks: list[str], after: NotebookNode) -> None:
    """A predict-first question, with its answer under the next key."""
    value, reply = answered(after)
    for letter, words in re.findall(r"^- \*\*(\w)\*\* (.*(?:\n  .*)*)", "\n".join(blocks), re.M):
        if letter == value:
            value = f"{value}: {' '.join(words.split())}"
    parts = [shown_block(b) if re.match(r"- |\|", b) else text_block(b) for b in blocks]
    html = "\n".join(part.html for part in parts)
    answer = f'<p class="fragment answer">Answer {inline(value)}</p>'
    height = 52 + sum(part.height + 12 for part in parts) + LINE * lines_of(value)
    notes = [f"<p>Answer {inline(value)}. {escape(reply)}</p>"]
    deck.add(Block("question", f'<div class="box">{html}\n{answer}</div>', height, notes))
    deck.run()


def answered(cell: NotebookNode) -> tuple[str, str]:
    """A question's answer, and what the workbook replies to it."""
    _, value = ast.parse(cell.source).body[-1].value.args
    (output,) = cell.outputs
    reply = output.data["text/plain"].partition("\n")[2]
    return str(ast.literal_eval(value)), " ".join(reply.split())


def card(deck: Deck, block: str, after: NotebookNode) -> None:
    """An exercise's card, with the head of its function."""
    parts = [p for p in pieces(re.sub("^> ?", "", block, flags=re.M)) if "*Stuck?*" not in p]
    html = "\n".join(render(part) for part in parts)
    height = 36 + sum(12 + LINE * lines_of(part) for part in parts)
    function = defined(after)
    first, last = function.lineno - 1, function.body[0].end_lineno
    head = code_block(after.source.split("\n")[first:last]).at(26)
    if {block.kind for block in deck.sections[-1][-1].blocks} - {"text"}:
        deck.run()
    html = f'<div class="box">{html}</div>\n{head.html}'
    deck.add(Block("card", html, height + GAP + head.height, []))


def defined(cell: NotebookNode) -> ast.FunctionDef:
    """The function that an exercise's cell defines."""
    (function,) = [s for s in ast.parse(cell.source).body if isinstance(s, ast.FunctionDef)]
    return function


def solution(cell: NotebookNode) -> list[str]:
    """The lines of an exercise's function, without the docstring, which its card shows."""
    function, lines = defined(cell), cell.source.split("\n")
    docstring = function.body[0]
    return lines[: docstring.lineno - 1] + lines[docstring.end_lineno : function.end_lineno]


def read_code(deck: Deck, cell: NotebookNode) -> None:
    """Add a code cell: its figures, or its code and what it printed."""
    drawn = any(map(figure_in, cell.outputs))
    lines = cell.source.split("\n")
    if re.search(r"\b(interact|display)\b", cell.source) or len(lines) > 2 * MOST_LINES:
        if not drawn:
            deck.note(listing(cell.source))
    elif not drawn:
        for part in cut(lines):
            deck.add(code_block(part))
    for output in cell.outputs:
        data = output.get("data", {})
        if figure := figure_in(output):
            deck.add(figure_block(figure, cell.source))
        elif output.get("name") == "stdout":
            deck.add(code_block(output.text.rstrip("\n").split("\n"), "output"))
        elif "text/markdown" in data:
            read_markdown(deck, data["text/markdown"], None)


def listing(code: str) -> str:
    return f"<pre>{escape(code)}</pre>"


# The pages


def body(deck: Deck) -> str:
    """All slides of a lesson."""
    title = (
        f'<section><div class="slide title"><h1>{inline(deck.title)}</h1>'
        f"<p>{inline(deck.sentence)}</p><p>{deck.minutes} minutes</p></div>"
        f'<aside class="notes">{"".join(deck.opening)}</aside></section>'
    )
    sections = ["\n".join(slide.html() for slide in section) for section in deck.slides()]
    return "\n".join([title, *(f"<section>\n{section}\n</section>" for section in sections)])


def page(deck: Deck, slides: str, font_faces: str) -> str:
    """The HTML file of a lesson, with everything inside."""
    return template(
        "slides.html",
        TITLE=escape(deck.title),
        SLIDES=slides,
        FONTS=font_faces,
        PYGMENTS=HtmlFormatter().get_style_defs(".reveal pre"),
        REVEAL_CSS=asset("dist/reveal.css"),
        REVEAL=asset("dist/reveal.js"),
        NOTES=asset("plugin/notes/notes.js"),
        MATHJAX=inside_html(mathjax.script("tex-svg.js")),
    )


def template(name: str, **values: str) -> str:
    """A page beside this file, with each @NAME@ replaced by its value."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return re.sub("@([A-Z_]+)@", lambda match: values[match[1]], text)


def asset(path: str) -> str:
    """A script or a style sheet of reveal.js, such that HTML can hold it."""
    return inside_html((REVEAL / path).read_text(encoding="utf-8"))


def inside_html(script: str) -> str:
    return script.replace("<!--", r"\x3c!--")


def fonts(text: str) -> str:
    """The fonts as CSS, with the letters that the text needs and no others."""
    source_sans = REVEAL / "dist" / "theme" / "fonts" / "source-sans-pro"
    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = [
        ("Source Sans Pro", "400", "normal", source_sans / "source-sans-pro-regular.ttf"),
        ("Source Sans Pro", "600", "normal", source_sans / "source-sans-pro-semibold.ttf"),
        ("Source Sans Pro", "400", "italic", source_sans / "source-sans-pro-italic.ttf"),
        ("DejaVu Sans", "400", "normal", dejavu / "DejaVuSans.ttf"),
        ("DejaVu Sans Mono", "400", "normal", dejavu / "DejaVuSansMono.ttf"),
        ("DejaVu Sans Mono", "700", "normal", dejavu / "DejaVuSansMono-Bold.ttf"),
    ]
    rules = []
    for family, weight, style, path in faces:
        options = subset.Options(flavor="woff", notdef_outline=True)
        options.drop_tables += ["FFTM", "webf"]  # a font editor's own
        font = subset.load_font(path, options)
        subsetter = subset.Subsetter(options)
        # all of ASCII, for the slide number and what MathJax leaves to the page
        subsetter.populate(unicodes={*map(ord, set(text)), *range(32, 127)})
        subsetter.subset(font)
        file = io.BytesIO()
        subset.save_font(font, file, options)
        data = base64.b64encode(file.getvalue()).decode()
        rules.append(
            f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
            f'src: url("data:font/woff;base64,{data}"); }}'
        )
    return "\n".join(rules)


def slide_count(deck: Deck) -> int:
    """How many slides there are, the title among them."""
    return 1 + sum(map(len, deck.slides()))


def index(decks: dict[str, Deck]) -> str:
    """The page that links to the lessons."""
    rows = [
        f'<li><a href="{name}.html">{escape(deck.title)}</a>: {deck.minutes} minutes, '
        f"{slide_count(deck)} slides<br>{inline(deck.sentence)}</li>"
        for name, deck in decks.items()
    ]
    return template("slides_index.html", LESSONS="\n".join(rows))


def write(folder: Path, names: list[str]) -> list[str]:
    """Write the pages of these lessons and the index; returns a line about each."""
    decks = {name: read_cells(read_notebook(ROOT / f"solutions/{name}.ipynb")) for name in names}
    bodies = {name: body(deck) for name, deck in decks.items()}
    font_faces = fonts("".join(bodies.values()))
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, deck in decks.items():
        html = page(deck, bodies[name], font_faces)
        (folder / f"{name}.html").write_text(html, encoding="utf-8", newline="\n")
        lines.append(f"{name}.html  {slide_count(deck)} slides  {len(html) / 1e6:.1f} MB")
    (folder / "index.html").write_text(index(decks), encoding="utf-8", newline="\n")
    return [*lines, "index.html"]


def main() -> int:
    """The command. Returns the exit status."""
    names = [name for name in lesson_names(ROOT) if name[:2] in LESSONS]
    paths = tuple(f"solutions/{name}." for name in names)
    if stale := [line for line in out_of_step(ROOT) if line.startswith(paths)]:
        print("Run `make build` first:", *stale[:3], sep="\n", file=sys.stderr)
        return 1
    print(f"In {TARGET}:", *write(TARGET, names), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
