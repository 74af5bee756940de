"""The process in which a submission runs.

Started by grade_run.py, one for each submission, from a copy of the workbook's package that belongs
to this process alone. It runs the notebook's statements, finds the functions that they define, and
calls them when told to. It judges nothing: which values are right, it is never asked.

Requests come and replies go as lines of JSON, through pipes that were standard input and output
and that the submission doesn't find there.
"""

import __future__

import ast
import asyncio
import builtins
import copy
import inspect
import json
import linecache
import os
import sys
import types
from collections.abc import Callable

from utils.authoring import grade_cells, grade_wire
from utils.checks import engine, sandbox
from utils.checks.registry import EXERCISES

# Kept here, out of reach of a notebook that puts something else in their place.
_run, cases_of, _is_stub, wrong_signature, line_of = (
    sandbox.run,
    engine.cases_of,
    engine.is_stub,
    engine.wrong_signature,
    engine.line_of,
)
_dumps, _loads, _deepcopy = json.dumps, json.loads, copy.deepcopy

FUTURE = __future__.annotations.compiler_flag
OUT_OF_MEMORY, SPOILED = 86, 87  # exit statuses


class Channel:
    """Lines of JSON to and from the process that started this one, and to and from nobody else.

    `token` goes with every message, so that a notebook which writes into all pipes it finds is
    noticed. It is no secret from one that searches this process's memory; nor need it be.
    """

    def __init__(self):
        self.token = ""
        self.requests = os.fdopen(os.dup(0), "rb")
        self.replies = os.dup(1)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        self.pid = os.getpid()

    def send(self, **message) -> None:
        self._only_here()
        data = _dumps({"token": self.token} | message).encode() + b"\n"
        while data:
            data = data[os.write(self.replies, data) :]

    def receive(self) -> dict:
        self._only_here()
        line = self.requests.readline()
        if not line:  # whoever started this process is gone
            os._exit(1)
        return _loads(line)

    def _only_here(self):
        if os.getpid() != self.pid:  # a fork, which would go on as if it were the submission
            os._exit(1)


def limit(seconds: int, memory: int, file_size: int, tasks: int) -> None:
    """Limits that hold for this process and cannot be raised again, where the system has them.

    Windows has none of them, and macOS does not keep the one on memory: the process that started
    this one looks after memory and time there.
    """
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_DATA": memory,
        "RLIMIT_CPU": seconds,
        "RLIMIT_FSIZE": file_size,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": tasks,
    }
    for name, value in limits.items():
        if hasattr(resource, name):
            _, hard = resource.getrlimit(getattr(resource, name))
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(getattr(resource, name), (value, value))
            except (ValueError, OSError):
                continue


class Notebook:
    """A submitted notebook while it runs.

    candidates  for each exercise the functions that the notebook gave its name, in order
    """

    def __init__(self, channel: Channel, setup: dict):
        self.channel, self.skip, self.sources = channel, set(setup["skip"]), setup["cells"]
        self.names = [name for name in setup["exercises"] if name in EXERCISES]
        self.cases = {name: cases_of(EXERCISES[name]) for name in self.names}
        self.references = {name: EXERCISES[name].reference for name in self.names}
        self.candidates = {name: [] for name in self.names}
        self.judged, self.undefined = {}, set()
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.python = dict(sys.modules), dict(vars(builtins))
        self.space = vars(module)
        self.space.update(get_ipython=_NoShell, display=lambda *args, **kwargs: None)
        checks = sys.modules["utils.checks"]
        for place in (checks, sys.modules["utils.checks.session"]):
            place.check, place.answer = self.check, self.answer

    def run(self, own: set[int]) -> None:
        """Run the statements, then have every function judged that has not been yet."""
        statements, broken = grade_cells.read([(c, s) for c, s in self.sources if c in own])
        others, _ = grade_cells.read([(c, s) for c, s in self.sources if c not in own])
        for cell in broken:
            self.channel.send(broken=cell.cell, reason=cell.reason, line=cell.line)
        statements = sorted(statements + others, key=lambda s: s.cell)
        chosen = list(enumerate(grade_cells.select(statements, own, set(self.names))))
        for cell, source in self.sources:
            lines = source.splitlines(keepends=True)
            linecache.cache[_file(cell)] = (len(source), None, lines, _file(cell))
        self.future = 0
        failed = [pair for pair in chosen if self._try(*pair, first=True)]
        # A name that was not there may be there now: somebody moved cells about.
        for pair in failed:
            self._try(*pair, first=False)
        for name in self.names:
            for k, fn in enumerate(self.candidates[name]):
                again = (name, k) in self.undefined
                if again or (name, k) not in self.judged:
                    self._judge(name, k, fn, again)
        self.channel.send(done=True)

    def _try(self, number, statement, first):
        """Execute a statement. Whether it is worth trying again; another failure is reported."""
        if number in self.skip:
            return False
        line = ast.unparse(statement.node).partition("\n")[0][:200]
        self.channel.send(at=number, cell=statement.cell, line=line)
        try:
            self._execute(statement)
        except MemoryError:  # what it took is still taken: the next ones would fail as well
            os._exit(OUT_OF_MEMORY)
        except NameError as error:
            if first:
                return True
            self.channel.send(cell=statement.cell, error=grade_wire.encode_error(error, line))
        except BaseException as error:
            self.channel.send(cell=statement.cell, error=grade_wire.encode_error(error, line))
        finally:
            sys.modules.update(self.python[0])
            vars(builtins).update(self.python[1])
            for name in self.names:
                self._note(name, self.space.get(name))
        return False

    def _execute(self, statement):
        module = ast.Module([statement.node], type_ignores=[])
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | self.future
        code = compile(module, _file(statement.cell), "exec", flags, dont_inherit=True)
        self.future |= code.co_flags & FUTURE  # as after `from __future__ import annotations`
        result = eval(code, self.space)
        if inspect.iscoroutine(result):
            asyncio.run(result)

    def _note(self, name, value):
        """Keep a function that was given an exercise's name, unless it is the workbook's own."""
        module = getattr(value, "__module__", None)
        own = isinstance(module, str) and module.split(".")[0] == "utils"
        known = any(value is fn for fn in self.candidates[name])
        if callable(value) and not own and not known:
            self.candidates[name].append(value)

    # What the notebook calls in place of the workbook's check and answer.

    def check(self, fn: Callable) -> Callable:
        name = getattr(fn, "__name__", None)
        if name not in self.candidates:
            return fn
        self._note(name, fn)
        for k, known in enumerate(self.candidates[name]):
            if known is fn:
                return self._judge(name, k, fn, again=False)
        return self.references[name]

    def answer(self, number: str, value: object) -> None:
        self.channel.send(answer=str(number)[:20], value=grade_wire.encode(value))

    def _judge(self, name, k, fn, again):
        """Have a function judged; returns it if it passed, else the workbook's own."""
        if (name, k) not in self.judged or again:
            self.space[name] = fn  # it may call itself
            self.channel.send(
                exercise=name,
                candidate=k,
                again=again,
                stub=_is_stub(fn),
                signature=wrong_signature(EXERCISES[name], fn, self.cases[name][0]),
                borrowed=self._calls_the_reference(name, fn),
            )
            try:
                self.judged[name, k] = self._serve(name, k, fn)
            except Exception:
                os._exit(SPOILED)
        right = fn if self.judged[name, k] else self.references[name]
        self.space[name] = right
        return right

    def _serve(self, name, k, fn):
        """Call the function on the cases asked for, until the verdict comes."""
        exercise, returned = EXERCISES[name], []
        while True:
            request = self.channel.receive()
            if "passed" in request:
                if request["undefined"]:
                    self.undefined.add((name, k))
                return request["passed"]
            args = _deepcopy(self.cases[name][request["case"]].args)
            called = _run(lambda *a: exercise.trial(fn, *a), args, request["seconds"])
            error = called.error and grade_wire.encode_error(called.error, line_of(called.error))
            kind = type(called.error)
            called.error = None  # it holds on to all that the call had in memory
            # Later calls may change what earlier ones returned.
            changed = []
            for n, (value, before) in enumerate(returned):
                now = grade_wire.encode(value)
                if now != before:
                    changed.append([n, now])
                    returned[n] = value, now
            returned.append((called.value, grade_wire.encode(called.value)))
            self.channel.send(
                reply=request["id"],
                value=returned[-1][1],
                error=error,
                late=kind is sandbox.OutOfTime,
                input=kind is sandbox.AskedForInput,
                printed=called.printed,
                args=[grade_wire.encode(a) for a in args],
                changed=changed,
            )

    def _calls_the_reference(self, name, fn):
        """Whether the function's code mentions the workbook's function of that name."""
        reference, codes = self.references[name], [getattr(fn, "__code__", None)]
        while codes:
            code = codes.pop()
            if code is None:
                continue
            codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
            if name in code.co_names and any(n.startswith("utils") for n in code.co_names):
                return True
            for value in map(self.space.get, code.co_names):
                inside = vars(value).get(name) if isinstance(value, types.ModuleType) else value
                if inside is reference:
                    return True
        return False


class _NoShell:
    """Stands in for IPython's shell: magics do nothing."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def _file(cell):
    return f"<cell {cell}>"


def main() -> None:
    channel = Channel()
    setup = channel.receive()
    channel.token = setup["token"]
    limit(**setup["limits"])
    sys.path.append(os.getcwd())
    notebook = Notebook(channel, setup)
    channel.send(ready=True)
    os.dup2(1, 2)  # up to here, what goes wrong here is to be seen
    try:
        notebook.run(set(setup["own"]))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    channel.receive()  # until told to go
