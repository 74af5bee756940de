"""Collect the learners' notebooks: `collect.py FOLDER [LESSON ...]`, run by an instructor.

FOLDER, which must not be there yet, gets one sub-folder a person, ready for
`make grade FROM=FOLDER`. LESSON is how the wanted notebooks' names begin (01, 03_back); none: all.

It reads through the learners' own servers, each with a token that is good for that one server
and ten minutes: what a learner does there can't get at the others' work. Servers that are stopped
are started for it and stopped again. Nothing of the learners' is written to.
"""

import argparse
import base64
import getpass
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import requests
from tqdm import tqdm

FOLDER = "rnn-workbook"
AT_A_TIME, START_SECONDS, TIMEOUT = 4, 120, 60
LARGEST, MOST_FILES, DEEPEST = 50 * 2**20, 300, 4  # more than anybody has who means well
NOTHING = "has not begun"


class Failed(Exception):
    """What could not be had, in words for the instructor."""


class Hub:
    """The hub's API under one token."""

    def __init__(self, url: str, token: str):
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"token {token}"}

    def ask(self, method: str, path: str, **options) -> requests.Response:
        """One request. Raises Failed where the answer is not a success."""
        url = self.url + path
        try:
            reply = requests.request(
                method, url, headers=self.headers, timeout=TIMEOUT, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise Failed(f"no answer from {url} ({type(error).__name__})") from None
        if not 200 <= reply.status_code < 300:
            raise Failed(f"{method} {path.partition('?')[0]} gave {reply.status_code}")
        return reply

    def learners(self) -> list[dict]:
        """Every learner that this token may see, however many pages they fill."""
        found = []
        while page := self.ask("GET", f"/hub/api/users?offset={len(found)}&limit=50").json():
            found += page
        return [user for user in found if "learners" in user.get("groups", ())]

    @contextmanager
    def only(self, me: str, person: str):
        """The same hub with a token that opens this person's server and nothing else."""
        tokens = f"/hub/api/users/{quote(me)}/tokens"
        wish = {
            "note": f"collect {person}",
            "expires_in": 600,
            "scopes": [f"access:servers!server={person}/"],
        }
        token = self.ask("POST", tokens, json=wish).json()
        try:
            yield Hub(self.url, token["token"])
        finally:
            with suppress(Failed):
                self.ask("DELETE", f"{tokens}/{token['id']}")

    @contextmanager
    def server(self, person: str):
        """The person's server runs; stopped afterwards if it was stopped before."""
        path = f"/hub/api/users/{quote(person)}"
        running = self.is_ready(path)
        if not running:
            self.ask("POST", f"{path}/server")
        try:
            until = time.monotonic() + START_SECONDS
            while not running and not self.is_ready(path):
                if time.monotonic() > until:
                    raise Failed("the server does not start")
                time.sleep(0.5)
            yield
        finally:
            if not running:
                with suppress(Failed):
                    self.ask("DELETE", f"{path}/server")

    def is_ready(self, path: str) -> bool:
        return bool(self.ask("GET", path).json()["servers"].get("", {}).get("ready"))


def notebooks(server: Hub, person: str, lessons: list[str]) -> list[tuple[str, bytes]]:
    """Path and content of the person's notebooks, sub-folders included."""
    contents = f"/user/{quote(person)}/api/contents/"
    folders, found = [(FOLDER, 0)], []
    while folders:
        folder, depth = folders.pop(0)
        for item in server.ask("GET", contents + quote(folder)).json()["content"]:
            name = str(item["name"])
            path = f"{folder}/{name}"
            if name.startswith(".") or "/" in name or "\\" in name:
                continue
            if item["type"] == "directory" and depth < DEEPEST:
                folders.append((path, depth + 1))
            elif name.endswith(".ipynb") and name.startswith(tuple(lessons or [""])):
                if (item.get("size") or 0) > LARGEST or len(found) >= MOST_FILES:
                    raise Failed(f"too much to collect: {path}")
                reply = server.ask("GET", f"{contents}{quote(path)}?type=file&format=base64")
                content = base64.b64decode(reply.json()["content"])
                found.append((path.removeprefix(f"{FOLDER}/"), content))
    return found


def collect(hub: Hub, me: str, user: dict, target: Path, lessons: list[str]) -> str:
    """Collect one learner's notebooks; returns what is to be said about it ("" if nothing)."""
    person = user["name"]
    if not user.get("last_activity"):
        return NOTHING
    try:
        with hub.only(me, person) as server, hub.server(person):
            found = notebooks(server, person, lessons)
        for path, content in found:
            (target / person / path).parent.mkdir(parents=True, exist_ok=True)
            (target / person / path).write_bytes(content)
    except (Failed, KeyError, TypeError, ValueError, OSError) as error:
        return f"could not be collected: {error}"
    return "" if found else "has no such notebook"


def main(argv: list[str] | None = None) -> int:
    """The command line. Returns 0, 1 where somebody's notebooks are missing, 2 where all are."""
    parser = argparse.ArgumentParser(description="Collect the learners' notebooks into FOLDER.")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="made; must not be there yet")
    parser.add_argument("lessons", metavar="LESSON", nargs="*", help="01 or 01_rnn; default: all")
    parser.add_argument("--hub", default="http://127.0.0.1:8000", help="default: %(default)s")
    options = parser.parse_args(argv)
    print(f"Your token, from {options.hub}/hub/token (good for an hour is enough).", flush=True)
    token = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
    hub = Hub(options.hub, token.strip())
    os.umask(0o077)
    try:
        me = hub.ask("GET", "/hub/api/user").json()["name"]
        learners = hub.learners()
        options.folder.mkdir(parents=True)
    except (Failed, OSError) as error:
        print(f"Nothing was collected: {error}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        jobs = [pool.submit(collect, hub, me, u, options.folder, options.lessons) for u in learners]
        remarks = [job.result() for job in tqdm(jobs, "Collecting", unit="person")]
    for user, remark in zip(learners, remarks, strict=True):
        if remark:
            print(f"{user['name']} {remark}")
    print(f"{remarks.count('')} of {len(learners)} collected in {options.folder}")
    return int(any(remark not in ("", NOTHING) for remark in remarks))


if __name__ == "__main__":
    sys.exit(main())
