"""What a check says: HTML with inline styles in JupyterLab, short plain text elsewhere."""

from dataclasses import astuple, dataclass, field, replace
from html import escape

import numpy as np

from .compare import Picture, Row

# Text and background fit together in the light and the dark theme; the sign and the words say it
# without the colour.
LOOK = {
    "passed": ("✓", "#1e5631", "#e6f4ea"),
    "not yet": ("✗", "#7a2500", "#fdeee6"),
    "not attempted": ("○", "#33415c", "#eef2f7"),
    "your guess": ("→", "#33415c", "#eef2f7"),
}


@dataclass(frozen=True)
class Message:
    """A verdict with a title and a text. `code` in the text is set as code.

    look      how it is shown, where not as its status: a wrong guess is no failure
    identity  (kind, name) for the machine that reads the notebook, as ("question", "1.2")
    """

    status: str
    title: str
    text: str
    identity: tuple[str, str] = ("message", "")
    look: str = ""

    def __str__(self):
        return f"{_head(self.look or self.status)}: {self.title}\n  {self.text}"

    __repr__ = __str__

    def _repr_html_(self):
        look = self.look or self.status
        head = f"<strong>{_head(look)}</strong> · {_marked(self.title)}"
        return _box(look, [_paragraph(head), _paragraph(_marked(self.text))])


@dataclass(frozen=True)
class Report:
    """The result of checking one exercise.

    exercise  the function's name          status   "passed", "not yet" or "not attempted"
    passed    how many checks it passed    total    out of how many
    message   what to look at              mistake  the name of the known mistake, or None
    rows      one per returned tensor      printed  what the function printed on its first call
    """

    exercise: str
    number: str
    status: str
    passed: int = 0
    total: int = 0
    message: str = ""
    mistake: str | None = None
    rows: tuple[Row, ...] = field(default=(), repr=False)
    picture: Picture | None = field(default=None, repr=False)
    printed: str = field(default="", repr=False)
    closing: str = field(default="", repr=False)

    @property
    def identity(self):
        return "exercise", self.exercise

    def __str__(self):
        lines = [f"{_head(self.status)}: {self.number} {self.exercise}{self._count()}"]
        lines += ["  " + text for text in (self.message, *map(_row_line, self.rows)) if text]
        if self.printed:
            lines += ["  Your function printed:", *_indented(self.printed)]
        return "\n".join([*lines, "  " + self.closing] if self.closing else lines)

    def _repr_pretty_(self, printer, cycle):
        printer.text(str(self))

    def _repr_html_(self):
        head = f"<strong>{_head(self.status)}</strong> · {self.number} " + _marked(
            f"`{self.exercise}`"
        )
        parts = [_paragraph(head + self._count())]
        parts += [_paragraph(_marked(self.message))] if self.message else []
        if self.rows:
            names = ("tensor", "shape", "verdict", "largest difference", "where")
            parts += [_table(names, [astuple(replace(r, difference=_size(r))) for r in self.rows])]
        if self.picture:
            parts += [_drawing(self.picture)]
        if self.printed:
            parts += [_paragraph("Your function printed:"), _pre(self.printed)]
        parts += [_paragraph(_marked(self.closing))] if self.closing else []
        return _box(self.status, parts)

    def _count(self):
        return f" · {self.total} of {self.total} checks" if self.status == "passed" else ""


@dataclass(frozen=True)
class Progress:
    """All exercises as rows (lesson, number, name, status), and a remark on where they are kept."""

    rows: tuple[tuple[str, str, str, str], ...]
    remark: str = ""

    def __str__(self):
        lines = [self._summary()]
        lines += [f"  {LOOK[s][0]} {number} {name}: {s}" for _, number, name, s in self.rows]
        return "\n".join([*lines, self.remark] if self.remark else lines)

    __repr__ = __str__

    def _repr_html_(self):
        cells = [(*row[:3], f"{LOOK[row[3]][0]} {row[3]}") for row in self.rows]
        table = _table(("lesson", "no.", "exercise", "state"), cells, striped=True)
        parts = [_paragraph(self._summary()), table]
        return "".join([*parts, _paragraph(escape(self.remark))] if self.remark else parts)

    def _summary(self):
        done = sum(row[3] == "passed" for row in self.rows)
        return f"{done} of {len(self.rows)} exercises passed"


def _head(look):
    return f"{LOOK[look][0]} {look}"


def _box(look, parts):
    _, ink, paper = LOOK[look]
    style = (
        f"color:{ink};background:{paper};border-left:5px solid {ink};"
        "padding:0.4em 0.9em;margin:0.3em 0;border-radius:3px;max-width:52em"
    )
    return f'<div style="{style}">{"".join(parts)}</div>'


def _table(names, rows, striped=False):
    """`striped` is for outside a box: the theme's stripes may clash with a box's own colours."""
    row = "<tr>" if striped else '<tr style="background:transparent">'
    cell = "padding:0.15em 0.8em 0.15em 0;text-align:left;color:inherit;background:transparent"
    head = "".join(f'<th style="{cell}" scope="col">{escape(n)}</th>' for n in names)
    body = "".join(
        row + "".join(f'<td style="{cell}">{escape(str(c))}</td>' for c in cells) + "</tr>"
        for cells in rows
    )
    table = "border-collapse:collapse;color:inherit;margin:0.3em 0"
    return f'<table style="{table}">{row}{head}</tr>{body}</table>'


def _drawing(picture):
    """Both matrices as fields of grey, darker for larger; a cross marks each wrong entry."""
    most = np.abs(picture.expected).max() or 1.0
    grids = []
    for name, matrix in (("expected", picture.expected), ("yours", picture.got)):
        depth = np.clip(np.abs(matrix) / most, 0, 1)
        wrong = picture.wrong if name == "yours" else np.zeros_like(picture.wrong)
        rows = zip(depth, wrong, strict=True)
        body = "".join(f"<tr>{''.join(map(_field, *row))}</tr>" for row in rows)
        caption = f'<caption style="caption-side:top;color:inherit">{name}</caption>'
        style = "display:inline-table;border-collapse:collapse;margin-right:1.5em;color:inherit"
        grids.append(f'<table style="{style}">{caption}{body}</table>')
    says = f"{picture.title} (darker: larger; ×: wrong)"
    return _paragraph(escape(says)) + "".join(grids)


def _field(depth, wrong):
    grey = round(255 - 110 * float(depth))  # light enough for the cross to be seen
    style = (
        "width:1.2em;height:1.2em;padding:0;text-align:center;line-height:1.2em;color:#000;"
        f"border:1px solid #fff;background:rgb({grey},{grey},{grey})"
    )
    return f'<td style="{style}">{"×" if wrong else ""}</td>'


def _row_line(row):
    return f"{row.name:>8} {row.shape:<12} {row.verdict:<6} {_size(row)} {row.where}".rstrip()


def _paragraph(html):
    return f'<p style="margin:0.2em 0">{html}</p>'


def _pre(text):
    return f'<pre style="color:inherit;background:transparent">{escape(text)}</pre>'


def _marked(text):
    """Escaped text in which `code` is set as code."""
    style = "color:inherit;background:transparent;font-weight:bold"  # the theme's own may clash
    parts = escape(text).split("`")
    return "".join(f'<code style="{style}">{p}</code>' if k % 2 else p for k, p in enumerate(parts))


def _indented(text):
    return ["    " + line for line in text.rstrip().splitlines()]


def _size(row):
    return "" if row.difference is None else f"{row.difference:.2g}"
