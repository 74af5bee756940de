"""Which statements of a submitted notebook are run to get at its functions.

Whatever somebody wrote or changed is run, in the notebook's order: every cell that is not word for
word in the lesson as handed out. Of the lesson's own cells, which draw, train and explain, only
what the exercises' cells need: imports, and the cells which bind a name that is used.

One exception keeps thirty trainings from running thirty times: a changed cell that no exercise
needs is left alone if it needs the lesson's own computations (somebody retitled a figure).
"""

import ast
import importlib.util
import symtable
from dataclasses import dataclass
from typing import NamedTuple

CELL_MAGICS_AROUND_CODE = ("time", "timeit", "capture", "prun")
AT_ONCE = ("listcomp", "setcomp", "dictcomp", "genexpr")  # all other functions run when called
ASKING = {"check", "answer"}
IMPORTS = (ast.Import, ast.ImportFrom)
SURE = (ast.Assign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


class Names(NamedTuple):
    """The notebook's names that a statement deals with.

    binds   it binds them, or changes what they stand for     uses  it needs them at once
    surely  of these, the ones that it binds in any case      late  its functions need them
    """

    binds: frozenset[str]
    surely: frozenset[str]
    uses: frozenset[str]
    late: frozenset[str]


@dataclass
class Statement:
    """One top-level statement and the number of its cell."""

    cell: int
    node: ast.stmt
    names: Names


@dataclass
class Broken:
    """A cell that is not Python: what is wrong, and the line."""

    cell: int
    reason: str
    line: str


def read(sources: list[tuple[int, str]]) -> tuple[list[Statement], list[Broken]]:
    """The statements of the cells (number, source), in order, and the cells that have none."""
    statements, broken = [], []
    for cell, source in sources:
        try:
            tree = parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or str(error) or type(error).__name__
            broken.append(Broken(cell, reason, (getattr(error, "text", None) or "").strip()))
            continue
        statements += [Statement(cell, node, names(node)) for node in tree.body]
    return statements, broken


def parse(source: str) -> ast.Module:
    """The syntax tree of a cell. IPython's magics and shell commands become calls."""
    first, _, rest = source.lstrip().partition("\n")
    if first.startswith("%%"):
        around_code = first[2:].split()[:1] and first[2:].split()[0] in CELL_MAGICS_AROUND_CODE
        source = "\n" + rest if around_code else ""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return compile(source, "<cell>", "exec", flags)
    except SyntaxError as error:
        from IPython.core.inputtransformer2 import TransformerManager  # slow, and rarely needed

        transformed = TransformerManager().transform_cell(source)
        if transformed.strip() == source.strip():
            raise error from None
        return compile(transformed, "<cell>", "exec", flags)


def names(node: ast.stmt) -> Names:
    """What a top-level statement does to the notebook's names."""
    try:
        top = symtable.symtable(ast.unparse(node), "<cell>", "exec")
    except (SyntaxError, ValueError, RecursionError):  # a top-level await
        every = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        return Names(every, frozenset(), every, frozenset())
    binds, uses = set(), {False: set(), True: set()}
    tables = [(top, False)]
    while tables:
        table, late = tables.pop()
        tables += [(t, late or t.get_name() not in AT_ONCE) for t in table.get_children()]
        for symbol in table.get_symbols():
            if table is top or symbol.is_global():
                if symbol.is_assigned() or symbol.is_imported():
                    binds.add(symbol.get_name())
                if symbol.is_referenced():
                    uses[late].add(symbol.get_name())
    surely = binds if isinstance(node, SURE) and not _changed(node) else set()
    return Names(*map(frozenset, (binds | _changed(node), surely, uses[False], uses[True])))


def _changed(node):
    """Names whose objects may change: `table[k] = …`, `words.append(…)`."""
    places = [n for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Subscript)]
    stores = [n for n in places if not isinstance(n.ctx, ast.Load)]
    calls = [n.value.func for n in ast.walk(node) if _is_bare_call(n)]
    return {_root(n) for n in stores + calls} - {None}


def _is_bare_call(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
    )


def _root(node):
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def select(statements: list[Statement], own: set[int], exercises: set[str]) -> list[Statement]:
    """The statements to run, in order.

    Those of the cells in `own` that define an exercise's function or answer a question, with all
    that they need; and of the other cells in `own` those that need nothing but imports besides.
    """
    by_cell = {}
    for k, statement in enumerate(statements):
        by_cell.setdefault(statement.cell, []).append(k)
    modules = set()
    for statement in statements:
        if _imports(statement):
            modules |= statement.names.binds

    def closure(open_, chosen):
        chosen, open_ = set(chosen), list(open_)
        while open_:
            k = open_.pop()
            if k not in chosen:
                chosen.add(k)
                open_ += _sources(statements, k, modules)
                if not _imports(statements[k]):  # a cell makes sense as a whole
                    open_ += [i for i in by_cell[statements[k].cell] if not _imports(statements[i])]
        return chosen

    def serves(k):
        names = statements[k].names
        return statements[k].cell in own and (exercises & names.binds or ASKING & names.uses)

    def working(cell):
        return (k for k in by_cell[cell] if not _is_idle_import(statements[k].node))

    serving = {statements[k].cell for k in range(len(statements)) if serves(k)}
    chosen = closure((k for cell in serving for k in working(cell)), ())
    for cell in sorted(own & set(by_cell) - serving):
        more = closure(working(cell), chosen)
        of_the_lesson = (statements[k] for k in more - chosen if statements[k].cell not in own)
        if all(map(_imports, of_the_lesson)):
            chosen = more
    return [statements[k] for k in sorted(chosen)]


def _imports(statement):
    return isinstance(statement.node, IMPORTS)


def _is_idle_import(node):
    """Whether it imports only packages that are there: it has to run only if its names are used."""
    match node:
        case ast.Import():
            packages = [alias.name for alias in node.names]
        case ast.ImportFrom(level=0, module=str(module)) if module != "__future__":
            packages = [module]
        case _:
            return False
    try:
        return all(importlib.util.find_spec(name.partition(".")[0]) for name in packages)
    except (ImportError, ValueError):
        return False


def _sources(statements, k, modules):
    """The statements that the names used by statement k may come from."""
    found = set()
    for name in statements[k].names.late:  # by the time it is called, any of them
        found |= {i for i, s in enumerate(statements) if _makes(s, name, modules)}
    for name in statements[k].names.uses:
        for i in [*reversed(range(k)), *range(k + 1, len(statements))]:
            if _makes(statements[i], name, modules):
                found.add(i)
            if name in statements[i].names.surely:
                break
    return found


def _makes(statement, name, modules):
    """Whether it binds or changes the name; nobody changes a module by calling its functions."""
    calls = isinstance(statement.node, ast.Expr)
    return name in statement.names.binds and not (calls and name in modules)
