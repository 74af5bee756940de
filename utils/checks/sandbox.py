"""Call a learner's function so that nothing it does can hurt the notebook.

The call runs in a thread of its own, because that is the only way to stop waiting for a function
on every operating system. What it changes in the interpreter is put back afterwards.
"""

import builtins
import contextlib
import ctypes
import getpass
import io
import itertools
import math
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_PRINTED = 2_000
_seeds = itertools.count()


class OutOfTime(BaseException):
    """Raised inside a function that runs for too long; not an Exception, so few can swallow it."""


class AskedForInput(Exception):
    """Raised inside a function that calls input()."""


@dataclass
class Called:
    """What one call did: its value or its error, and the beginning of what it printed."""

    value: Any = None
    error: BaseException | None = None
    printed: str = ""


class _Printed(io.TextIOBase):
    """Keeps the first characters written to it and forgets the rest."""

    def __init__(self):
        self.text = ""

    def writable(self):
        return True

    def write(self, text):
        self.text += str(text)[: max(0, MAX_PRINTED - len(self.text))]
        return len(text)


def run(fn: Callable, args: tuple, seconds: float) -> Called:
    """fn(*args), stopped after `seconds`. Never raises; the interpreter is left as it was."""
    called, printed = Called(), _Printed()

    def work():
        try:
            called.value = fn(*args)
        except BaseException as error:
            called.error = error

    thread = threading.Thread(target=work, daemon=True)
    with _everything_put_back(printed):
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            _stop(thread)
            called = Called(error=OutOfTime())
    called.printed = printed.text
    return called


def _stop(thread: threading.Thread) -> None:
    """Raise OutOfTime in the thread until it ends; one that will not end is left behind."""
    until = time.monotonic() + 0.5
    while thread.is_alive() and time.monotonic() < until:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(OutOfTime)
        )
        thread.join(0.02)


def _no_input(*args, **kwargs):
    raise AskedForInput("the check cannot answer input()")


def _no_exit(*args, **kwargs):
    raise SystemExit


def _seed_differently(torch):
    """No call finds the random state of another, or what is drawn from it would look constant."""
    seed = next(_seeds)
    np.random.seed(seed)
    random.seed(seed)
    if torch:
        torch.manual_seed(seed)


@contextlib.contextmanager
def _everything_put_back(printed: io.TextIOBase):
    """Catch what is printed; afterwards restore modules, random states and process settings.

    NumPy's error and print settings need no care: they belong to the thread of the call.
    """
    modules = {m: dict(vars(m)) for m in (np, np.linalg, np.random, math, builtins, getpass)}
    streams = sys.stdin, sys.stdout, sys.stderr
    numpy_random, python_random = np.random.get_state(), random.getstate()
    torch = sys.modules.get("torch")  # never imported only for this
    torch_state = torch and (
        torch.get_rng_state(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
    )
    folder, recursion = os.getcwd(), sys.getrecursionlimit()
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            builtins.input = getpass.getpass = _no_input
            sys.stdin, sys.stdout, sys.stderr = io.StringIO(), printed, printed
            _seed_differently(torch)
            if torch:
                torch.set_num_threads(1)  # the arrays are small: more would wait for each other
            if shell:
                shell.ask_exit = _no_exit  # exit() in a notebook would end the kernel
            yield
    finally:
        if shell:
            del shell.ask_exit
        sys.stdin, sys.stdout, sys.stderr = streams
        for module, names in modules.items():
            vars(module).update(names)
        np.random.set_state(numpy_random)
        random.setstate(python_random)
        if torch_state:
            torch.set_rng_state(torch_state[0])
            torch.set_default_dtype(torch_state[1])
            torch.set_num_threads(torch_state[2])
        os.chdir(folder)
        sys.setrecursionlimit(recursion)
