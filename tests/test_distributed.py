"""Lesson 4 across processes: workers agree with one process, and none is ever left behind."""

import importlib
import os
import pickle
import runpy
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch.distributed as dist

from tests.strategies import assert_close, problem
from utils import launch
from utils.accumulation import Batch, train_epoch
from utils.launch import run_workers

WINDOWS = 2


def windows_of(p):
    """Two windows of four micro-batches: ragged, of one to three sequences and different T."""
    for rows in np.split(np.arange(16), WINDOWS):
        parts = np.split(rows, [3, 4, 6])
        cut = [(slice(p.lengths[part].max()), part) for part in parts]
        yield [Batch(p.x[at], p.targets[at], p.mask[at], p.h0[at[1]]) for at in cut]


@pytest.fixture
def task():
    """A problem, its windows, and the weights after one step of SGD for each whole window."""
    p = problem(T=6, B=16, D=3, H=5, K=4)
    halves = [slice(0, 8), slice(8, 16)]
    whole = [Batch(p.x[:, at], p.targets[:, at], p.mask[:, at], p.h0[at]) for at in halves]
    return p.params, list(windows_of(p)), train_epoch(p.params, whole, 1, 0.5, None)


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """Makes the workers of tests.broken_workers fail in one way, and finds those still running."""
    monkeypatch.setenv("BROKEN_PIDS", str(tmp_path))

    def fail(how):
        monkeypatch.setenv("BROKEN", how)

    def running():
        pids = [int(path.name) for path in tmp_path.iterdir()]
        return [pid for pid in pids if is_running(pid)]

    return SimpleNamespace(
        fail=fail, running=running, started=lambda: len(list(tmp_path.iterdir()))
    )


def is_running(pid):
    try:
        process = psutil.Process(pid)
        return "broken_workers" in " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def gone(broken):
    """Processes take a moment to disappear."""
    deadline = time.monotonic() + 30
    while broken.running() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not broken.running()


def test_two_workers_agree_with_one_process(task, capfd):
    params, windows, expected = task
    calls = [(params, windows, 0.5, wait) for wait in (True, False)]
    results = run_workers("utils.data_parallel", calls, workers=2, seconds=240)
    assert capfd.readouterr().out == ""
    assert len(results) == 2
    for (waited, exchanges), (each, more_exchanges) in results:
        assert_close(waited, expected, 1e-12)
        assert_close(each, expected, 1e-12)
        assert (exchanges, more_exchanges) == (WINDOWS, 2 * WINDOWS)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "Worker 1 stopped: ValueError: there is a hair in the soup. So"),
        ("leaves", "Worker 1 stopped: exit status 3. So"),
        pytest.param(
            "is killed",
            "Worker 1 stopped: it was ended from outside (SIGKILL). So",
            marks=pytest.mark.skipif(os.name == "nt", reason="no SIGKILL"),
        ),
    ],
)
def test_a_worker_that_dies_is_named_and_the_others_stop(how, message, broken, capfd):
    broken.fail(how)
    assert run_workers("tests.broken_workers", [], seconds=240) == []
    said = capfd.readouterr().out
    assert said.startswith(message)
    assert said.endswith("others were stopped too.\nThe notebook goes on without the workers.\n")
    assert gone(broken)


def test_workers_that_hang_are_stopped(broken, monkeypatch, capfd):
    wait = subprocess.Popen.wait

    def wait_for_workers(process, seconds=None):
        """The clock starts when both workers run, however slow this computer is."""
        while seconds == 0.5 and broken.started() < 2:
            time.sleep(0.1)
        return wait(process, seconds)

    monkeypatch.setattr(subprocess.Popen, "wait", wait_for_workers)
    broken.fail("hangs")
    assert run_workers("tests.broken_workers", [], seconds=0.5) == []
    assert "not done after 0.5 seconds and were stopped" in capfd.readouterr().out
    assert broken.started() == 2
    assert gone(broken)


def test_interrupting_the_cell_stops_the_workers(broken, monkeypatch, capfd):
    wait = subprocess.Popen.wait

    def interrupted(process, seconds=None):
        if seconds != 240:
            return wait(process, seconds)
        while broken.started() < 2:
            time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    broken.fail("hangs")
    assert run_workers("tests.broken_workers", [], seconds=240) == []
    assert capfd.readouterr().out.startswith("You interrupted the cell")
    assert gone(broken)


def test_workers_end_when_the_notebook_dies(broken):
    broken.fail("hangs")
    program = "from utils.launch import run_workers; run_workers('tests.broken_workers', [])"
    environment = os.environ | {"PYTHONPATH": str(launch.ROOT)}
    notebook = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        while broken.started() < 2 and notebook.poll() is None:
            time.sleep(0.1)
    finally:
        notebook.kill()
        notebook.wait()
    assert broken.started() == 2
    assert gone(broken)


def test_a_module_that_is_not_there_is_named(capfd):
    assert run_workers("tests.no_such_worker", [], workers=1, seconds=240) == []
    said = capfd.readouterr().out
    assert said.startswith("Worker 0 stopped: ")
    assert "no_such_worker" in said
    assert len(said.splitlines()) == 2


def test_a_port_in_use_is_named(capfd):
    with socket.socket() as other:
        other.bind((launch.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        assert run_workers("utils.data_parallel", [], port=port) == []
    assert capfd.readouterr().out.startswith(f"Port {port} is in use by another program.")


@pytest.mark.parametrize("part", ["is_available", "is_gloo_available"])
def test_pytorch_without_distributed_is_told(part, monkeypatch, capfd):
    monkeypatch.setattr(dist, part, lambda: False)
    assert run_workers("utils.data_parallel", []) == []
    assert "no torch.distributed" in capfd.readouterr().out


def test_the_worker_alone(task, tmp_path, monkeypatch):
    """What torchrun starts, here in this process: one worker is one process."""
    params, windows, expected = task
    with socket.socket() as probe:
        probe.bind((launch.HOST, 0))
        port = probe.getsockname()[1]
    torchrun = {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": launch.HOST, "MASTER_PORT": port}
    for name, value in (torchrun | launch._environment()).items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(sys, "argv", ["worker", str(tmp_path)])
    monkeypatch.setattr(launch, "stay_connected", lambda: None)
    monkeypatch.delitem(sys.modules, "utils.data_parallel", raising=False)
    calls = [(params, windows, 0.5, wait) for wait in (True, False)]
    (tmp_path / "calls").write_bytes(pickle.dumps(calls))
    runpy.run_module("utils.data_parallel", run_name="__main__")
    results = pickle.loads((tmp_path / "results of 0").read_bytes())
    assert [exchanges for _, exchanges in results] == [WINDOWS, 4 * WINDOWS]
    for weights, _ in results:
        assert_close(weights, expected, 1e-12)


def test_importing_the_script_starts_nothing():
    importlib.import_module("utils.data_parallel")
    assert not dist.is_initialized()


def test_a_worker_leaves_when_its_pipe_is_closed(monkeypatch):
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    ours, theirs = os.pipe()
    launch.stay_connected(ours)
    os.write(theirs, b"x")
    os.close(theirs)
    while not left:
        time.sleep(0.01)
    os.close(ours)
    assert left == [1]


@pytest.mark.parametrize("stubborn", [0, 1, 2, 3])
def test_torchrun_is_asked_told_and_made_to_stop(stubborn):
    done = []

    def wait(patience):
        if len(done) <= stubborn:
            raise subprocess.TimeoutExpired("torchrun", patience)

    process = SimpleNamespace(
        stdin=SimpleNamespace(close=lambda: done.append("closed")),
        terminate=lambda: done.append("terminated"),
        kill=lambda: done.append("killed"),
        wait=wait,
    )
    launch._stop(process)
    assert done == ["closed", "terminated", "killed"][: stubborn + 1]


def test_what_the_workers_find_in_their_environment(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "eth0"), (2, "lo0")])
    monkeypatch.setattr(sys, "platform", "darwin")
    found = launch._environment()
    assert found["PYTHONPATH"].split(os.pathsep) == [str(launch.ROOT), "elsewhere"]
    assert (found["OMP_NUM_THREADS"], found["GLOO_SOCKET_IFNAME"]) == ("1", "lo0")
    assert "USE_LIBUV" not in found
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "ethernet_32769")])
    monkeypatch.setattr(sys, "platform", "win32")
    found = launch._environment()
    assert found["USE_LIBUV"] == "0"
    assert "GLOO_SOCKET_IFNAME" not in found


def test_a_start_that_fails_is_told_in_a_line(tmp_path):
    (tmp_path / "log").write_text("Traceback\n  much of it\nOSError: no room left.\n\n")
    assert (
        launch._what_happened(tmp_path) == "The workers could not be started: OSError: no room left"
    )
    (tmp_path / "log").write_text("")
    assert launch._what_happened(tmp_path) == "The workers could not be started: "
