"""Workers that misbehave, for test_distributed: run as `-m tests.broken_workers` by torchrun.

The environment says how (BROKEN) and where to note their process ids (BROKEN_PIDS).
"""

import os
import signal
import sys
import time
from pathlib import Path

from utils.launch import stay_connected


def main():
    Path(os.environ["BROKEN_PIDS"], str(os.getpid())).touch()
    rank, how = int(os.environ["RANK"]), os.environ["BROKEN"]
    if rank == 1 and how == "raises":
        raise ValueError("there is a hair in the soup.")
    if rank == 1 and how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1 and how == "leaves":
        sys.exit(3)
    stay_connected()
    if how == "hangs":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the worst case: it won't listen
    while True:
        time.sleep(0.1)


if __name__ == "__main__":
    main()
