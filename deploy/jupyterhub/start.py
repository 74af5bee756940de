"""Start a learner's server: hand out the lessons, set the limits, become jupyterhub-singleuser.

Runs as the learner, with no more rights than the learner has, so that nothing in a home folder can
trick the hub into touching something else. Where the lessons are: RNN_NOTEBOOKS.
"""

import contextlib
import os
import sys
from pathlib import Path

FOLDER = "rnn-workbook"
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


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
        from utils.hand_out import hand_out, lessons_in

        hand_out(lessons_in(Path(os.environ["RNN_NOTEBOOKS"])), Path.home() / FOLDER)
    except Exception as error:  # a full disk, say: the learner's own files are worth a server
        print(f"The lessons could not be handed out: {error!r}", file=sys.stderr, flush=True)
    limit_memory()
    server = str(here / "jupyterhub-singleuser")
    os.execv(server, [server, *sys.argv[1:]])


if __name__ == "__main__":
    main()
