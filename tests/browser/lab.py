"""JupyterLab as `make lab` starts it, and a notebook in it as a browser shows it."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import psutil
from playwright.sync_api import expect

from utils.authoring.build import ROOT

PATIENCE = 600  # seconds for a whole notebook, on a machine that does other things as well
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ACTIVE = "window.jupyterapp.shell.currentWidget.content.activeCell.model.id"
MIDDLE_OF_TEXT = """line => {
    const text = document.createRange(), all = line.getBoundingClientRect();
    text.selectNodeContents(line);
    const { right } = text.getBoundingClientRect();
    return { x: right - all.left - 8, y: all.height / 2 };
}"""
FIGURE = "slider => slider.closest('.widget-interact').querySelector('img')?.src"


def find_chromium():
    """The path of a Chromium or Chrome: the one that RNN_CHROMIUM names, else one on the PATH."""
    named = os.environ.get("RNN_CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, CHROMIUMS)), None)


class Lab:
    """A running `make lab` with its own copies of the notebooks, its own settings and progress.

    With `clone`, a clone of the workbook that is not set up, it is that clone's `make lab`, with
    this environment for its own.
    """

    def __init__(self, place, clone=None):
        self.folder, self.state, self.log = place / "copy", place / "state", place / "lab.log"
        self.settings, self.workspaces = place / "settings", place / "workspaces"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.options = [
            "--no-browser",
            "--expose-app-in-browser",  # as window.jupyterapp
            f"--port={port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            "--IdentityProvider.token=",
        ]
        if clone:
            self.where, self.variables = clone, [f"BIN={Path(sys.executable).parent}", "LAB="]
        else:
            self.where, self.variables = ROOT, []
            self.options.append(f"--ServerApp.root_dir={self.folder}")
        self.mine = {
            "IPYTHONDIR": place / "ipython",
            "JUPYTER_CONFIG_DIR": place / "config",
            "JUPYTER_DATA_DIR": place / "data",
            "JUPYTER_RUNTIME_DIR": place / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": self.settings,
            "JUPYTERLAB_WORKSPACES_DIR": self.workspaces,
            "RNN_WORKBOOK_STATE": self.state,
        }
        self.fresh()
        self.start()

    def start(self):
        """Run `make lab`, and wait till its server answers."""
        with self.log.open("wb") as log:
            self.make = subprocess.Popen(
                ["make", "lab", f"ARGS={shlex.join(self.options)}", *self.variables],
                cwd=self.where,
                env=os.environ | {name: str(path) for name, path in self.mine.items()},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + 120
        while not self.answers():
            if self.make.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"JupyterLab does not start:\n{self.log.read_text()}")
            time.sleep(0.2)

    def answers(self):
        with suppress(OSError), urlopen(f"{self.url}/api/status", timeout=5):
            return True

    def fresh(self):
        """The notebooks as they are in the repository; no progress, no settings, nothing open."""
        for folder in (self.state, self.settings, self.workspaces, self.folder):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in ("notebooks", "solutions"):
            (self.folder / folder).mkdir(parents=True)
            for notebook in (ROOT / folder).glob("*.ipynb"):
                shutil.copy(notebook, self.folder / folder)

    def stop(self):
        """End the server, which ends its kernels; whatever is left then is killed."""
        if self.make.poll() is not None:
            return
        started = psutil.Process(self.make.pid).children(recursive=True)
        os.killpg(self.make.pid, signal.SIGTERM)
        self.make.wait(120)  # on a machine that does other things as well
        _, left = psutil.wait_procs(started, timeout=120)
        for process in left:
            process.kill()
        assert not left, f"did not end by themselves: {left}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Notebook:
    """A notebook that is open in a browser."""

    def __init__(self, page, lab, path):
        """Go to its address, and wait till it is there and its kernel is idle."""
        self.page, self.path = page, path
        page.goto(f"{lab.url}/lab/tree/{path}")
        self.wait_idle()

    # What JupyterLab does

    def wait(self, condition, argument=None):
        """Wait for a condition in JavaScript."""
        self.page.wait_for_function(condition, arg=argument, timeout=PATIENCE * 1000)

    def wait_idle(self):
        self.wait(
            """path => {
                const panel = window.jupyterapp?.shell.currentWidget;
                return panel?.context?.path === path && panel.context.isReady
                    && panel.sessionContext.session?.kernel?.status === 'idle';
            }""",
            self.path,
        )

    def start(self, command, **options):
        """Start one of JupyterLab's commands."""
        self.page.evaluate(
            """([command, options]) => {
                const end = () => { window.ended = true; };
                window.ended = false;
                window.jupyterapp.commands.execute(command, options).then(end, end);
            }""",
            [command, options],
        )

    def finish(self):
        """Wait for the end of the command that was started."""
        self.wait("() => window.ended")
        self.wait_idle()

    def run_all(self):
        """Run > Run All Cells, first without the outputs that came with the file."""
        self.start("notebook:clear-all-cell-outputs")
        self.finish()
        self.start("notebook:run-all-cells")
        self.finish()

    def restart_and_run_all(self):
        """Kernel > Restart Kernel and Run All Cells…, and yes."""
        self.start("notebook:restart-run-all")
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()
        self.finish()

    def save(self):
        self.page.keyboard.press("Control+s")
        self.wait("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")

    # What is in the notebook

    def cells(self):
        """All cells as they would be saved now."""
        model = "window.jupyterapp.shell.currentWidget.content.model.toJSON()"
        return json.loads(self.page.evaluate(f"() => JSON.stringify({model})"))["cells"]

    def outputs(self):
        return [output for cell in self.cells() for output in cell.get("outputs", ())]

    def errors(self):
        """The errors, each in a line; what is written to stderr counts."""
        errors = [o for o in self.outputs() if o["output_type"] == "error"]
        stderr = [o["text"] for o in self.outputs() if o.get("name") == "stderr"]
        return [f"{o['ename']}: {o['evalue']}" for o in errors] + ["".join(text) for text in stderr]

    def not_run(self):
        """The code cells that were not run."""
        code = [cell for cell in self.cells() if cell["cell_type"] == "code"]
        return [cell["source"] for cell in code if cell["execution_count"] is None]

    def verdicts(self):
        """{(kind, id): status} of the reports, in order."""
        found = [o["metadata"].get("workbook") for o in self.outputs() if "metadata" in o]
        return {(v["kind"], v["id"]): v["status"] for v in found if v}

    # What is on the page

    def cell(self, id):
        number = [cell["id"] for cell in self.cells()].index(id)
        return self.page.locator(f".jp-Cell[data-windowed-list-index='{number}']")

    def see(self, id, text):
        """The cell's output shows this text."""
        shown = self.cell(id).locator(".jp-OutputArea-output").first
        expect(shown).to_contain_text(text)
        shown.scroll_into_view_if_needed()
        expect(shown).to_be_visible()

    def dots(self, id):
        """The line of a stub."""
        return self.cell(id).locator(".cm-line", has_text=re.compile(r"^\s*\.\.\.$"))

    def type_over_the_dots(self, id, text):
        """Double-click the `...` of a stub, type over it, and press Shift+Enter."""
        dots = self.dots(id)
        dots.scroll_into_view_if_needed()
        dots.dblclick(position=dots.evaluate(MIDDLE_OF_TEXT))
        self.page.keyboard.type(text)
        self.page.keyboard.press("Shift+Enter")

    def replace_line(self, id, old, new):
        """Click the line that has `old` in it, type `new` over it, and press Shift+Enter."""
        self.cell(id).locator(".cm-line", has_text=old).click()
        self.type_over(new)

    def type_over(self, text):
        """Type over the line in which the cursor is, and press Shift+Enter."""
        for key in ("End", "Shift+Home"):
            self.page.keyboard.press(key)
        self.page.keyboard.type(text)
        self.page.keyboard.press("Shift+Enter")

    def active(self):
        """The id of the cell that is selected."""
        return self.page.evaluate(f"() => {ACTIVE}")

    def press_until(self, key, id):
        """Press a key until the cell is the selected one. One that runs a cell is waited for."""
        for _ in self.cells():
            if self.active() == id:
                return
            before = self.active()
            self.page.keyboard.press(key)  # Shift+Enter goes on before the cell has run
            self.wait(f"id => {ACTIVE} !== id", before)
            self.wait_idle()
        raise AssertionError(f"{key} never got to {id}")

    def descriptions(self, count):
        """What the pictures among the outputs, `count` of them, say to who can't see them."""
        pictures = self.page.locator(".jp-OutputArea-output img")
        expect(pictures).to_have_count(count)
        return pictures.evaluate_all("all => all.map(image => image.alt)")

    def sliders(self):
        return self.page.get_by_role("slider").all()

    def cut_labels(self):
        """The labels beside sliders that are shown in part."""
        return self.page.locator(".widget-interact .widget-label").evaluate_all(
            "all => all.filter(l => l.scrollWidth > l.clientWidth).map(l => l.textContent)"
        )

    def move(self, slider):
        """Press keys on a slider; after each its number and the figure below it have changed."""
        slider.scroll_into_view_if_needed()
        slider.focus()
        at_the_end = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
        readout = slider.locator("xpath=ancestor::*[contains(@class, 'widget-slider')]").locator(
            ".widget-readout"
        )
        for key in ("Home", "ArrowRight") if at_the_end else ("End", "ArrowLeft"):
            number, figure = readout.inner_text(), slider.evaluate(FIGURE)
            assert figure
            self.page.keyboard.press(key)
            expect(readout).not_to_have_text(number)
            self.page.wait_for_function(
                f"([slider, old]) => ![old, undefined].includes(({FIGURE})(slider))",
                arg=[slider.element_handle(), figure],
            )
