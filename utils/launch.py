"""Several workers, each a process of its own on this computer, started from a notebook (lesson 4).

`run_workers` starts them with torchrun and always stops them; what goes wrong is said in a sentence
or two. `work` is their side of it. They hear of the notebook's end through a pipe: it is their
standard input, never written to, and closed when the notebook is done with them or has died.
"""

import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"  # this computer; no network is needed


def run_workers(module, calls, workers=2, seconds=60, port=0):
    """What each worker returns: a list (workers) of lists (calls); [] after a message if it failed.

    Each runs `module`, which hands a function to `work`; `calls` holds its arguments, a tuple for
    each call. They meet at `port`, 0 being any that is free, and are stopped after `seconds`.
    """
    free = _free(port)
    if not _has_distributed():
        trouble = "This PyTorch has no torch.distributed with gloo, which the workers need."
    elif not free:
        trouble = f"Port {port} is in use by another program. Without `port` a free one is found."
    else:
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            folder = Path(folder)
            (folder / "calls").write_bytes(pickle.dumps(calls))
            trouble = _run(_torchrun(module, folder, workers, free), folder, seconds)
            if not trouble:
                files = [folder / f"results of {rank}" for rank in range(workers)]
                return [pickle.loads(file.read_bytes()) for file in files]
    print(f"{trouble}\nThe notebook goes on without the workers.")
    return []


def work(function):
    """The worker's part: meet the others, call the function as asked, leave the results."""
    import torch.distributed as dist

    stay_connected()
    folder = Path(sys.argv[1])
    dist.init_process_group("gloo")  # torchrun has put into the environment who is who and where
    results = [function(*call) for call in pickle.loads((folder / "calls").read_bytes())]
    (folder / f"results of {dist.get_rank()}").write_bytes(pickle.dumps(results))
    dist.destroy_process_group()


def stay_connected(pipe=0):
    """From now on this process ends when the other end of the pipe is closed, busy or not."""
    threading.Thread(target=_leave_with_the_notebook, args=[pipe], daemon=True).start()


def _leave_with_the_notebook(pipe):
    while os.read(pipe, 1):
        pass
    os._exit(1)


def _has_distributed():
    import torch.distributed as dist

    return dist.is_available() and dist.is_gloo_available()


def _free(port):
    """The port, or for 0 one that is free; None if another program has it."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return None
        return probe.getsockname()[1]


def _torchrun(module, folder, workers, port):
    """The command line: torchrun with all addresses on this computer."""
    options = {
        "nnodes": 1,
        "nproc-per-node": workers,
        "master-addr": HOST,
        "master-port": port,
        "local-addr": HOST,
        "max-restarts": 0,
        "log-dir": folder,
        "redirects": 3,  # what the workers print goes into files
    }
    said = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "torch.distributed.run", *said, "-m", module, str(folder)]


def _run(command, folder, seconds):
    """Run it to its end, but not for longer than `seconds`. Returns what went wrong, or ""."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # what interrupts the notebook does not reach it, but us;
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # so on Windows
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"The workers were not done after {seconds} seconds and were stopped."
        except KeyboardInterrupt:
            return "You interrupted the cell, and the workers were stopped."
        finally:
            _stop(process)
    return "" if status == 0 else _what_happened(folder)


def _environment():
    """This process's, with what the workers need to know; they find `utils` wherever they start."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    new = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    loopback = {"lo", "lo0"} & {name for _, name in socket.if_nameindex()}
    if loopback:
        new["GLOO_SOCKET_IFNAME"] = loopback.pop()
    if sys.platform == "win32":
        new["USE_LIBUV"] = "0"  # PyTorch for Windows is built without it
    return os.environ | new


def _stop(process, patience=5):
    """The workers leave as their input closes, and torchrun after them; if not, it is made to."""
    process.stdin.close()
    for insist in (lambda: None, process.terminate, process.kill):
        insist()
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


def _what_happened(folder):
    """From torchrun's report of the first failure, and what that worker wrote."""
    log = (folder / "log").read_text(errors="replace")
    first = re.search(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", log, re.DOTALL)
    if not first:
        return f"The workers could not be started: {_last_line(log)}"
    rank, status = first[1], int(first[2])
    if status < 0:
        reason = f"it was ended from outside ({signal.Signals(-status).name})"
    else:
        files = folder.glob(f"*/attempt_0/{rank}/stderr.log")
        reason = _last_line("".join(file.read_text(errors="replace") for file in files))
    reason = reason or f"exit status {status}"
    return f"Worker {rank} stopped: {reason}. So the others were stopped too."


def _last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
