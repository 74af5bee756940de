"""Start a learner's server: hand out the lessons, set the limits, become jupyterhub-singleuser.

Runs as the learner, with no more rights than the learner has, so that nothing in a home folder can
trick the hub into touching something else. Where the lessons are: RNN_NOTEBOOKS.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from itertools import chain, count
from pathlib import Path

FOLDER = "rnn-workbook"
RECORD = ".handed-out.json"
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def hand_out(source: Path, folder: Path) -> list[str]:
    """Bring the learner's folder up to date; returns the names of the files that were written.

    A lesson that isn't there is put there. A new version of a lesson takes the place of a copy that
    is byte for byte as it was handed out, in which there is nothing to lose. Beside any other copy
    it is put as NAME-new.ipynb (-new-2, …), once. No file of the learner's is ever written to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    record, written = _read(folder / RECORD), []
    for path in sorted(source.glob("*.ipynb")):
        name, content = path.name, path.read_bytes()
        new, mine = _digest(content), _digest_of(folder / name)
        if mine is None:
            target = folder / name
        elif mine == new or record.get(name) == new:  # there already, or handed out before
            target = None
        elif mine == record.get(name):
            target = folder / name
        else:
            target = _free(folder / f"{path.stem}-new{path.suffix}")
        if target:
            _write(target, content)
            written.append(target.name)
        record[name] = new
    _write(folder / RECORD, json.dumps(record, indent=1).encode())
    return written


def _read(path):
    """What was handed out: name -> digest. Where it can't be read all copies count as changed."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _digest_of(path):
    """The digest of a file, None where there is none, "" where it can't be read."""
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return "" if path.is_symlink() else None
    except OSError:
        return ""


def _free(path):
    """The path itself, or with -2, -3, … the first that isn't there."""
    names = chain([path], (path.with_stem(f"{path.stem}-{n}") for n in count(2)))
    return next(p for p in names if not p.exists() and not p.is_symlink())


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


def limit_memory() -> None:
    """No process of the learner's takes more than MEM_LIMIT bytes, which the hub sets.

    Containers and systemd limit all of them together; for LocalProcessSpawner this is the limit.
    """
    with contextlib.suppress(KeyError, ImportError, ValueError, OSError):
        import resource

        size = int(os.environ["MEM_LIMIT"])
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def main() -> None:
    os.umask(0o077)  # what a learner writes, other learners can't read
    for name in THREADS:  # the matrices here are small: threads would wait for each other
        os.environ.setdefault(name, "1")
    here = Path(sys.executable).parent  # `python` in a terminal is the one with the workbook
    os.environ["PATH"] = f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        hand_out(Path(os.environ["RNN_NOTEBOOKS"]), Path.home() / FOLDER)
    except Exception as error:  # a full disk, say: the learner's own files are worth a server
        print(f"The lessons could not be handed out: {error!r}", file=sys.stderr, flush=True)
    limit_memory()
    server = str(here / "jupyterhub-singleuser")
    os.execv(server, [server, *sys.argv[1:]])


if __name__ == "__main__":
    main()
