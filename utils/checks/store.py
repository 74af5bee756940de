"""The learner's progress on disk: one small JSON file, never lost, never in the way.

The file lies in the user's state folder. The environment variable RNN_WORKBOOK_STATE names
another folder; empty, nothing is kept on disk (tests and builds use that).
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path

ORDER = ("not attempted", "not yet", "passed")

_this_session: dict[str, str] = {}


def folder() -> Path | None:
    """Where progress is kept; None when it is not."""
    named = os.environ.get("RNN_WORKBOOK_STATE")
    if named is not None:
        return Path(named) if named else None
    import platformdirs  # here, so that `import utils` stays quick

    return platformdirs.user_state_path("rnn-workbook", appauthor=False)


def load() -> tuple[dict[str, str], str]:
    """The best state of each exercise so far, by name, and a remark on the file ("" if none).

    A file that cannot be understood is set aside under another name, not deleted.
    """
    known, remark = dict(_this_session), ""
    path = _path()
    if path is not None:
        try:
            _merge(known, _read(path))
        except (FileNotFoundError, NotADirectoryError):
            pass  # nothing kept so far
        except OSError as error:
            remark = f"{path} cannot be read ({error.strerror}); showing this session only."
        except ValueError:
            remark = f"{path} was damaged; {_set_aside(path)}."
    return known, remark


def record(name: str, status: str) -> str:
    """Remember a state; a better one is never replaced. Returns a remark when it can't be kept."""
    _merge(_this_session, {name: status})
    path = _path()
    if path is None:
        return ""
    known, remark = load()
    try:
        _write(path, known)
    except OSError as error:
        return f"Progress is not kept on disk: {path.parent} ({error.strerror})."
    return remark


def _path():
    where = folder()
    return None if where is None else where / "progress.json"


def _read(path):
    """The states in the file. Raises ValueError if it holds anything else."""
    match json.loads(path.read_text(encoding="utf-8")):
        case {"exercises": dict(states)}:
            return {name: status for name, status in states.items() if status in ORDER}
    raise ValueError("no states in it")


def _merge(known, more):
    for name, status in more.items():
        known[name] = max(known.get(name, ORDER[0]), status, key=ORDER.index)


def _set_aside(path):
    aside = path.with_suffix(".damaged.json")
    try:
        os.replace(path, aside)
    except OSError:
        return "starting afresh"
    return f"it is now {aside.name}, and a new one is begun"


def _write(path, known):
    """All or nothing: a crash half-way leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"exercises": dict(sorted(known.items()))}, file, indent=1)
        os.replace(name, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
