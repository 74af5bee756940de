"""Open JupyterLab on the learner's own copies of the lessons: `python -m utils.lab [OPTION ...]`.

This is what `make lab` does after the set-up. The copies are in my-notebooks/, which git ignores,
so an update is never in the way of anybody's work. Options go to JupyterLab.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from utils.hand_out import digests, hand_out, keep, lessons_in

ROOT = Path(__file__).resolve().parents[1]
MINE = "my-notebooks"
NEWS = "@jupyterlab/apputils-extension:announcements"  # would ask, and then ask the network
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main(argv: list[str] | None = None, root: Path = ROOT) -> int | None:
    """Hand out the lessons and become JupyterLab; returns 1 where there is no workbook."""
    if not (root / "notebooks").is_dir():
        print(f"There is no workbook in {root}: no folder notebooks/.", file=sys.stderr)
        return 1
    try:
        for line in bring_up_to_date(root):
            print(line, flush=True)
    except OSError as error:  # a full disk, say: what is there already can be opened all the same
        print(f"The lessons could not be put into {MINE}/: {error}", file=sys.stderr, flush=True)
    for name in THREADS:  # the matrices here are small: threads would wait for each other
        os.environ.setdefault(name, "1")
    os.chdir(root)  # the folder that the file browser shows, with solutions/ in it
    from jupyter_server.services.contents.filemanager import FileContentsManager
    from jupyterlab.commands import disable_extension
    from jupyterlab.labapp import LabApp

    with suppress(OSError):  # where somebody else owns Python, JupyterLab asks once
        disable_extension(NEWS)
    protect(FileContentsManager, root)
    LabApp.launch_instance(options(sys.argv[1:] if argv is None else argv))


def options(argv: list[str]) -> list[str]:
    """JupyterLab's options: the first lesson, unless another page is asked for, and the rest."""
    page = [f"--LabApp.default_url=/lab/tree/{MINE}/00_start_here.ipynb"]
    root = ["--allow-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    return (page if not any("default_url" in option for option in argv) else []) + root + argv


def protect(manager: type, root: Path) -> None:
    """JupyterLab shows the notebooks that git has, and runs them, but doesn't save them.

    It would save a notebook by itself as soon as it is opened, and the next `git pull` would stop.
    """
    is_writable, folders = manager.is_writable, (root / "notebooks", root / "solutions")

    def is_mine(self, path):
        place = Path(self._get_os_path(path))
        ours = place.suffix == ".ipynb" and place.parent.resolve() in folders
        return not ours and is_writable(self, path)

    manager.is_writable = is_mine


def bring_up_to_date(root: Path) -> list[str]:
    """Bring my-notebooks/ up to date; returns what the learner should know of it, in lines.

    What was changed in notebooks/ itself, as far as git knows what that is, is put there as the
    learner's own. Raises OSError where my-notebooks/ can't be written to.
    """
    lines, folder = [], root / MINE
    if not folder.exists():
        lines = [f"Your own copies of the lessons are in {MINE}/. Updates leave what you change."]
    lessons, committed = lessons_in(root / "notebooks"), changed_here(root)
    # first as git has them, so that what was changed in place is then kept as work
    for name, target in hand_out(lessons | committed, folder, partial(earlier, root)).items():
        if target != name:
            lines.append(f"{MINE}/{target}: a new version of {name}; yours is as you left it.")
    work = {name: lessons[name] for name, old in committed.items() if worked_in(lessons[name], old)}
    kept = keep(work, folder)
    for name, target in kept.items():
        lines.append(f"{MINE}/{target}: what you changed in notebooks/{name}. Go on there.")
    if kept:
        lines.append("`git checkout notebooks` then takes it out of the way of updates.")
    return lines


def changed_here(root: Path) -> dict[str, bytes]:
    """The notebooks in notebooks/ that are not as git has them: name -> the content that git has.

    None where lessons are being written: there the notebooks are built, not worked in.
    """
    where = ("notebooks", "solutions", "utils/authoring")
    paths = git(root, "diff", "-z", "--name-only", "--relative", "HEAD", "--", *where).decode()
    if ".py\0" in paths:
        return {}
    names = {path.name for path in (root / "notebooks").glob("*.ipynb")}
    changed = [name for name in sorted(names) if f"notebooks/{name}" in paths.split("\0")]
    contents = {name: git(root, "show", f"HEAD:./notebooks/{name}") for name in changed}
    return {name: content for name, content in contents.items() if content}


def worked_in(now: bytes, committed: bytes) -> bool:
    """Whether it is a notebook whose cells say something else; one that was only run does not."""
    exact, cells = digests(now)
    return exact != cells and cells not in digests(committed)


def earlier(root: Path, name: str) -> Iterator[bytes]:
    """All versions of a lesson's notebook that git knows, the newest first."""
    for commit in git(root, "log", "--format=%H", "--", f"notebooks/{name}").decode().split():
        yield git(root, "show", f"{commit}:./notebooks/{name}")


def git(root: Path, *command: str) -> bytes:
    """What a git command prints; nothing where there is no git, or this is no clone."""
    with suppress(FileNotFoundError):
        return subprocess.run(["git", *command], cwd=root, capture_output=True).stdout
    return b""


if __name__ == "__main__":
    sys.exit(main())
