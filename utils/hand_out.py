"""Hand out lessons into a learner's folder, in which nothing of the learner's is ever overwritten.

`make lab` does it on a learner's own machine, deploy/jupyterhub/start.py on a class server.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, count
from pathlib import Path

RECORD = ".handed-out.json"


def lessons_in(source: Path) -> dict[str, bytes]:
    """The notebooks of a folder: name -> content. Raises OSError for one that can't be read."""
    return {path.name: path.read_bytes() for path in sorted(source.glob("*.ipynb"))}


def hand_out(
    lessons: Mapping[str, bytes],
    folder: Path,
    earlier: Callable[[str], Iterable[bytes]] = lambda name: (),
) -> dict[str, str]:
    """Bring the learner's folder up to date; returns lesson -> name of the file that was written.

    A lesson that isn't there is put there. A copy with the cells that were handed out is untouched,
    even if they were run: it has nothing that can't be had again, and a new version takes its
    place. Beside any other copy a version with other cells is put, once, as NAME-new.ipynb.
    `earlier(name)`: the older versions of a lesson, to know a copy that isn't in the record.
    Raises OSError where the folder can't be written to; each file is then the old one or the new.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    record, written = _read(folder / RECORD), {}
    for name, content in lessons.items():
        path, new = folder / name, digests(content)
        mine, known = _digests_of(path), record.get(name)
        if known is None and mine:
            known = set(chain.from_iterable(map(digests, earlier(name)))) - {*new}
        target = _target(path, mine, new, known or (), record)
        if target:
            _write(target, content)
            written[name] = target.name
            record[target.name] = new
        record[name] = new
    _write(folder / RECORD, json.dumps(record, indent=1).encode())
    return written


def keep(work: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """Put a learner's own notebooks into the folder; returns name -> name of the file written.

    Where another copy stands that has been changed too, as NAME-mine.ipynb. What is there already
    is not put there again. Raises OSError as `hand_out` does.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    record, written = _read(folder / RECORD), {}
    for name, content in work.items():
        path = folder / name
        target = _room(chain([path], _beside(path, "mine")), digests(content), record)
        if target:
            _write(target, content)
            written[name] = target.name
    return written


def digests(content: bytes) -> list[str]:
    """Two sha256 of a notebook: of the file, and of what its cells say, empty ones aside.

    The second is blind to outputs, numbers and metadata, which JupyterLab saves by itself. Of what
    isn't a notebook both are those of the file.
    """
    exact = hashlib.sha256(content).hexdigest()
    try:
        cells = [(c["cell_type"], "".join(c["source"])) for c in json.loads(content)["cells"]]
    except (ValueError, TypeError, KeyError):
        return [exact, exact]
    said = json.dumps([cell for cell in cells if cell[1].strip()])
    return [exact, hashlib.sha256(said.encode()).hexdigest()]


def _target(path, mine, new, known, record):
    """Where a lesson goes; None where there is nothing to do."""
    exact, cells = new
    if mine is None:
        return path
    if exact in mine or exact in known:  # there already, or handed out before
        return None
    if {*mine} & {*known, *new}:
        return path
    if cells in known:  # only outputs are new: nothing for somebody who has changed the cells
        return None
    return _room(_beside(path, "new"), new, record)


def _room(paths, new, record):
    """The first file that isn't there or is an untouched copy; None if it says the same already."""

    def is_free(path):
        mine = _digests_of(path)
        return mine is None or {*mine} & {*new, *record.get(path.name, ())}

    path = next(filter(is_free, paths))
    return None if {*(_digests_of(path) or ())} & {*new} else path


def _beside(path, tag):
    """NAME-tag.ipynb, NAME-tag-2.ipynb, …"""
    return (path.with_stem(f"{path.stem}-{tag}" + f"-{n}" * (n > 1)) for n in count(1))


def _read(path):
    """What was handed out: name -> digests. Where it can't be read all copies count as changed."""
    try:
        record = json.loads(path.read_bytes())
        # version 0.1 had one digest, that of the file
        return {name: [d] if isinstance(d, str) else [*d] for name, d in record.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _digests_of(path):
    """The digests of a file, None where there is none, [] where it can't be read."""
    try:
        return digests(path.read_bytes())
    except FileNotFoundError:
        return [] if path.is_symlink() else None
    except OSError:
        return []


def _write(path, content):
    """Write a file so that it is there whole or not at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
