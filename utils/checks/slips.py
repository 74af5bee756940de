"""Two slips that Python answers in words of its own, and a notebook here in plain ones.

A letter without quotes, `answer("1.1", a)`, is a name that nothing has: a NameError. Code that is
typed over a stub at the left margin is no longer inside the function: a SyntaxError.
"""

import ast
import re
from types import SimpleNamespace

from .registry import QUESTIONS

STUB = re.compile(r"^(\w+) = check\(\1\)", re.M)
OUTSIDE = ("'return' outside function", "expected an indented block after function")


def watch(shell) -> None:
    """Have an IPython shell answer both slips; everything else goes on as before."""

    def visit(tree):
        return take_bare_letters(tree, shell.user_ns)

    shell.ast_transformers.append(SimpleNamespace(visit=visit))
    usual = shell.SyntaxTB.structured_traceback

    def structured_traceback(kind, error, *rest, **options):
        said = lost_indent(error, shell.history_manager.input_hist_raw[-1])
        return [said] if said else usual(kind, error, *rest, **options)

    shell.SyntaxTB.structured_traceback = structured_traceback


def take_bare_letters(tree: ast.Module, known: dict) -> ast.Module:
    """The tree with each answer that is a choice's bare letter taken out, as before it was given.

    The report then asks for a letter in quotes. A name that is `known`, or that the cell itself
    gives to something, stays.
    """
    nodes = list(ast.walk(tree))
    given = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    given |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name("answer"), args=[ast.Constant(number), ast.Name(name)]):
                choices = QUESTIONS[number].choices if number in QUESTIONS else ""
                if name.lower() in list(choices) and name not in given and name not in known:
                    node.args[1] = ast.copy_location(ast.Constant(...), node.args[1])
    return tree


def lost_indent(error: SyntaxError, cell: str) -> str:
    """What to say of an exercise's cell in which a line has lost its indent; "" of all others."""
    lines = cell.splitlines()
    if not STUB.search(cell) or not 0 < (error.lineno or 0) <= len(lines):
        return ""
    line = lines[error.lineno - 1].strip()
    if error.text and error.text.strip() != line:
        return ""  # of another file
    place = f"Line {error.lineno} of this cell, `{line}`,"
    if error.msg.startswith(OUTSIDE):
        return f"{place} stands outside your function: put four spaces in front of it."
    if isinstance(error, IndentationError):
        return (
            f"{place} does not line up with the lines above it. Put four spaces in front of each "
            "line of your function, and four more inside an if or a loop."
        )
    return ""
