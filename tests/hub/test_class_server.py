"""A class on one server, tried for real: `make test-hub`. Plain pytest skips it.

JupyterHub and its proxy run on 127.0.0.1, on free ports, with everything they write in a temporary
folder. Two learners and an instructor log in through the form, run lesson 1 in their servers, and
the instructor collects and grades. Then a new version of the notebooks arrives.
"""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests
from websocket import create_connection

from utils.authoring.figures import figure_in

ROOT = Path(__file__).parents[2]
HUB = os.environ.get("RNN_HUB")  # the folder that deploy/jupyterhub/install.sh made
if not HUB:
    pytest.skip("starts a JupyterHub: only with `make test-hub`", allow_module_level=True)

BIN = Path(HUB).absolute() / "bin"
DEPLOY = ROOT / "deploy" / "jupyterhub"
PASSWORD = uuid.uuid4().hex
PEOPLE = ("ada", "alan", "grace")  # as in deploy/jupyterhub/class.toml; grace teaches
LESSON = "01_rnn_cell.ipynb"
PATIENCE = 180


class Person:
    """Somebody at a browser."""

    def __init__(self, url, name):
        self.url, self.name, self.browser = url, name, requests.Session()

    def ask(self, method, path, expect=(200, 201, 202, 204), **options):
        """A request as the pages make it: with the cookies and the token against forgery."""
        paths = {
            cookie.path: cookie.value for cookie in self.browser.cookies if cookie.name == "_xsrf"
        }
        best = max((p for p in paths if path.startswith(p)), key=len, default=None)
        headers = {"X-XSRFToken": paths.get(best, ""), "Referer": self.url + path}
        reply = self.browser.request(
            method, self.url + path, headers=headers, timeout=PATIENCE, **options
        )
        assert reply.status_code in expect, (
            f"{method} {path}: {reply.status_code} {reply.text[:300]}"
        )
        return reply

    def log_in(self, password=PASSWORD):
        self.ask("GET", "/hub/login")
        xsrf = next(c.value for c in self.browser.cookies if c.name == "_xsrf")
        form = {"username": self.name, "password": password, "_xsrf": xsrf}
        return self.ask("POST", "/hub/login", (200, 403), data=form)

    def start(self):
        """The server runs and the browser has its cookies; returns the page it opens on."""
        self.ask("POST", f"/hub/api/users/{self.name}/server", (201, 202, 400))
        until = time.monotonic() + PATIENCE
        while not self.servers().get("", {}).get("ready"):
            assert time.monotonic() < until, f"{self.name}'s server does not start"
            time.sleep(2)
        return self.ask("GET", f"/user/{self.name}/")

    def stop(self):
        self.ask("DELETE", f"/hub/api/users/{self.name}/server")
        until = time.monotonic() + PATIENCE
        while self.servers():
            assert time.monotonic() < until, f"{self.name}'s server does not stop"
            time.sleep(0.5)

    def servers(self):
        return self.ask("GET", f"/hub/api/users/{self.name}").json()["servers"]

    def contents(self, method, path, **options):
        return self.ask(method, f"/user/{self.name}/api/contents/{path}", **options).json()

    def kernel(self, path):
        return Kernel(self, path)


class Kernel:
    """A notebook's kernel, through the server's own API, as JupyterLab runs it."""

    def __init__(self, person, path):
        self.person = person
        wish = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        base = f"/user/{person.name}/api"
        self.session = f"{base}/sessions"
        reply = person.ask("POST", self.session, json=wish).json()
        self.session += "/" + reply["id"]
        request = requests.Request("GET", f"{person.url}{base}/kernels")
        cookies = person.browser.prepare_request(request).headers["Cookie"]
        address = f"{person.url}{base}/kernels/{reply['kernel']['id']}/channels"
        self.socket = create_connection(
            address.replace("http", "ws", 1), cookie=cookies, timeout=PATIENCE
        )

    def run(self, source):
        """The outputs of a cell, as a notebook stores them."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": self.person.name,
            "session": "test",
            "version": "5.3",
        }
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.send(json.dumps(message | {"channel": "shell", "buffers": []}))
        outputs = []
        while True:
            got = json.loads(self.socket.recv())
            if got["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind, content = got["msg_type"], got["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
            if kind in ("stream", "error"):
                outputs.append({"output_type": kind, **content})
            elif kind in ("display_data", "execute_result"):
                kept = {
                    k: content[k] for k in ("data", "metadata", "execution_count") if k in content
                }
                outputs.append({"output_type": kind, **kept})

    def close(self):
        self.socket.close()
        self.person.ask("DELETE", self.session)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder that the hub runs in, with notebooks of its own to hand out."""
    place = tmp_path_factory.mktemp("hub")
    shutil.copytree(ROOT / "notebooks", place / "notebooks", ignore=shutil.ignore_patterns(".*"))
    people = (DEPLOY / "class.toml").read_text(encoding="utf-8")
    (place / "class.toml").write_text(f'{people}\nnotebooks = "{place}/notebooks"\n')
    return place


@pytest.fixture(scope="module")
def hub(place):
    """The address of a running hub. Everything that it started is gone at the end."""
    ports = free_ports(3)
    names = ("PUBLIC", "HUB", "PROXY")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RNN_", "JUPYTER"))}
    environment |= {f"TRIAL_PORT_{n}": str(p) for n, p in zip(names, ports, strict=True)}
    environment |= {
        "TRIAL_PASSWORD": PASSWORD,
        "TRIAL_CONFIG": str(DEPLOY / "jupyterhub_config.py"),
    }
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    command = [BIN / "jupyterhub", "-f", ROOT / "tests" / "hub" / "trial_config.py"]
    log, since = place / "hub.log", time.time() - 1
    with log.open("wb") as file:
        hub = subprocess.Popen(
            command, cwd=place, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    url = f"http://127.0.0.1:{ports[0]}"
    try:
        until = time.monotonic() + PATIENCE
        while not answers(f"{url}/hub/api/"):
            assert hub.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.5)
        yield url
    finally:
        hub.send_signal(signal.SIGTERM)  # stops the proxy, the culler and the servers
        try:
            hub.wait(30)
        except subprocess.TimeoutExpired:
            hub.kill()
        for process in left_over(place, since):  # none, unless something went wrong
            process.kill()
        print(log.read_text()[-5000:])


def left_over(place, since):
    """Processes that were started since then and work in the trial's folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            inside = Path(process.cwd()).is_relative_to(place)
            if inside and process.create_time() >= since and process.pid != os.getpid():
                found.append(process)
    return found


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def answers(url):
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def people(hub):
    """All three, logged in, their servers running."""
    people = {name: Person(hub, name) for name in PEOPLE}
    for person in people.values():
        person.log_in()
    with ThreadPoolExecutor() as pool:
        pages = list(pool.map(Person.start, people.values()))
    for name, page in zip(PEOPLE, pages, strict=True):
        assert page.url == f"{hub}/user/{name}/lab/tree/rnn-workbook/00_start_here.ipynb"
        assert "JupyterLab" in page.text
    return people


def files(folder):
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*.ipynb"))
        if ".ipynb_checkpoints" not in p.parts
    }


def solved():
    """The solved sources of lesson 1's exercises, by cell id."""
    notebook = json.loads((ROOT / "solutions" / LESSON).read_text(encoding="utf-8"))
    return {cell["id"]: cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"}


def wrong():
    """One mistake in the first exercise; the others untouched."""
    source = "".join(solved()["exercise-cell-forward"])
    assert "h_prev @ V" in source
    return {"exercise-cell-forward": source.replace("h_prev @ V", "h_prev @ V.T")}


WORK = {"ada": solved, "alan": wrong, "grace": dict}


def run_lesson(person):
    """Write the answers, run every cell, save the notebook: what a learner does in an evening."""
    path = f"rnn-workbook/{LESSON}"
    notebook = person.contents("GET", path)["content"]
    answers = WORK[person.name]()
    kernel = person.kernel(path)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = "".join(answers.get(cell["id"], cell["source"]))
            cell["outputs"] = kernel.run(cell["source"])
            cell["metadata"].pop("trusted", None)
    kernel.close()
    person.contents("PUT", path, json={"type": "notebook", "content": notebook})
    return [output for cell in notebook["cells"] for output in cell.get("outputs", ())]


def text_of(outputs):
    return "\n".join("".join(o.get("data", {}).get("text/plain", "")) for o in outputs)


def test_who_is_not_in_the_class_or_has_no_password_stays_out(hub):
    for name, password in (("ada", "guess"), ("mallory", PASSWORD)):
        assert Person(hub, name).log_in(password).status_code == 403


def test_everybody_has_a_private_copy(people, place):
    handed_out = files(place / "notebooks")
    for name in PEOPLE:
        folder = place / "homes" / name / "rnn-workbook"
        assert files(folder) == handed_out
        assert folder.stat().st_mode & 0o077 == 0


def test_everybody_runs_lesson_1(people, place):
    with ThreadPoolExecutor() as pool:
        outputs = dict(zip(PEOPLE, pool.map(run_lesson, people.values()), strict=True))
    for name, got in outputs.items():
        assert [o["ename"] for o in got if o["output_type"] == "error"] == [], name
        assert any(figure_in(o) for o in got), name
    passed = {name: len(re.findall("passed", text_of(got))) for name, got in outputs.items()}
    assert passed["ada"] >= 4
    assert "transposed" in text_of(outputs["alan"])
    for name, status in (("ada", "passed"), ("alan", "not yet")):
        (progress,) = (place / "homes" / name / ".local" / "state" / "rnn-workbook").glob("*.json")
        assert status in progress.read_text(encoding="utf-8")


def test_limits(people):
    kernel = people["alan"].kernel("limits.ipynb")
    many = "import numpy as np\nnp.ones(3 * 2**30 // 8)"
    (error,) = [o for o in kernel.run(many) if o["output_type"] == "error"]
    assert "MemoryError" in error["ename"]
    (threads,) = kernel.run("import os\nprint(os.environ['OPENBLAS_NUM_THREADS'])")
    assert threads["text"].strip() == "1"
    kernel.close()


def test_learners_cannot_get_at_each_other(people):
    ada, alan = people["ada"], people["alan"]
    alan.ask("GET", "/user/ada/api/contents/rnn-workbook", expect=(403,))
    alan.ask("DELETE", "/hub/api/users/ada/server", expect=(403, 404))
    alan.ask("GET", "/hub/api/users/ada", expect=(403, 404))
    wish = {"scopes": ["access:servers!server=ada/"]}
    alan.ask("POST", "/hub/api/users/alan/tokens", expect=(400, 403), json=wish)
    assert ada.servers()


def token_of(person):
    """What the page /hub/token makes."""
    wish = {"note": "collect", "expires_in": 3600}
    return person.ask("POST", f"/hub/api/users/{person.name}/tokens", json=wish).json()["token"]


def collect(people, hub, folder, name="grace"):
    """The command of docs/jupyterhub.md, run in the person's own server."""
    command = [str(BIN / "python"), str(DEPLOY / "collect.py"), str(folder), "01", "--hub", hub]
    kernel = people[name].kernel("collect.ipynb")
    outputs = kernel.run(
        "import subprocess\n"
        f"done = subprocess.run({command!r}, input={token_of(people[name])!r}, text=True,"
        " stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\nprint(done.returncode, done.stdout)"
    )
    kernel.close()
    return "".join(o.get("text", "") for o in outputs)


def test_the_instructor_collects_and_grades(people, hub, place, tmp_path):
    people["alan"].stop()  # gone home
    before = files(place / "homes")
    said = collect(people, hub, place / "collected")
    assert said.startswith("0 "), said
    assert "2 of 2 collected" in said
    assert files(place / "homes") == before
    assert not people["alan"].servers()  # stopped again
    assert files(place / "collected") == {
        f"{name}/{LESSON}": before[f"{name}/rnn-workbook/{LESSON}"] for name in ("ada", "alan")
    }

    command = [sys.executable, "-m", "utils.authoring.grade", place / "collected"]
    subprocess.run([*command, "--out", tmp_path], cwd=ROOT, check=True)
    sheet = (tmp_path / "grades.csv").read_text(encoding="utf-8-sig")
    ada, alan = csv.DictReader(sheet.splitlines())
    assert (ada["person"], ada["passed"], ada["of"]) == ("ada", "4", "4")
    assert (alan["person"], alan["passed"]) == ("alan", "0")
    assert (alan["1.1 cell_forward"], alan["1.2 readout"]) == ("not yet", "not attempted")
    assert "transposed" in alan["1.1 mistake"]


def test_a_learner_collects_nothing(people, hub, place):
    said = collect(people, hub, place / "stolen", "ada")
    assert "Nothing was collected" in said
    assert not (place / "stolen").exists()


def test_an_update_never_overwrites(people, place):
    folder = place / "homes" / "ada" / "rnn-workbook"
    before = files(folder)
    (place / "homes" / "ada" / "rnn-workbook" / "06_gates.ipynb").unlink()  # to start afresh
    for name in (LESSON, "02_sequence_unrolling.ipynb"):
        path = place / "notebooks" / name
        lesson = json.loads(path.read_text(encoding="utf-8"))
        lesson["cells"][0]["source"] = "# Another title"
        path.write_text(json.dumps(lesson), encoding="utf-8")
    shutil.copy(place / "notebooks" / LESSON, place / "notebooks" / "07_new.ipynb")
    handed_out = files(place / "notebooks")
    for _ in range(2):  # the second time there is nothing to do
        people["ada"].stop()
        people["ada"].start()
        expected = handed_out | {
            LESSON: before[LESSON],
            LESSON.replace(".ipynb", "-new.ipynb"): handed_out[LESSON],
        }
        assert files(folder) == expected


def test_the_culler_is_at_work(people, place):
    log = (place / "hub.log").read_text()
    assert re.search(r"200 GET /hub/api/users\?.*idle-culler", log), log[-3000:]
