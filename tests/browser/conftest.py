"""JupyterLab in a browser: `make test-browser`. Plain pytest skips this folder."""

import os
import re
import shutil
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect, sync_playwright

from tests.browser.lab import FLAGS, Lab, Notebook, find_chromium
from utils.authoring.build import ROOT

SOON = 60_000  # milliseconds, on a machine that does other things as well
ARTEFACTS = ROOT / ".build" / "browser"


@pytest.hookimpl(tryfirst=True)  # before what a test itself waits for
def pytest_runtest_setup():
    """Skip the whole folder where it is not asked for, or cannot be run."""
    if not os.environ.get("RNN_BROWSER"):
        pytest.skip("starts JupyterLab and a browser: `make test-browser` runs these")
    if not find_chromium():
        pytest.skip("no Chromium: install chromium or set RNN_CHROMIUM to one")


@pytest.fixture(scope="session")
def browser():
    expect.set_options(timeout=SOON)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.stop()


@pytest.fixture
def page(browser, lab):
    """A new window of somebody who has done nothing yet. Its kernels end with the test."""
    lab.fresh()
    with browser.new_context(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(SOON)
        yield page
        page.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll()")


@pytest.fixture
def open_notebook(page, lab):
    """open_notebook("notebooks/01_rnn_cell.ipynb") gives the `Notebook`."""
    return lambda path: Notebook(page, lab, path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a failed test a screenshot and the server's log stay in .build/browser/<test>/."""
    report = yield
    page, lab = (item.funcargs.get(name) for name in ("page", "lab"))
    if report.when == "call" and report.failed and page and lab:
        folder = ARTEFACTS / re.sub(r"[^\w.-]+", "-", item.name).strip("-")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(lab.log, folder)
        with suppress(Error):  # the browser itself may be gone
            page.screenshot(path=folder / "page.png", full_page=True)
    return report
