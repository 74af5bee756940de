"""Every lesson alone in an empty folder, in a bare Python: `make test-alone`. Else it is skipped.

RNN_ALONE names that Python. It has NumPy, PyTorch, Matplotlib, ipywidgets and IPython's kernel, and
neither JupyterLab nor the workbook: the first lesson gets it as a wheel, whose path is the address.
"""

import json
import os
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.wheel import build_wheel
from utils.authoring import anywhere
from utils.authoring.build import ROOT, lesson_names, registry
from utils.authoring.source import read_lesson, source_path

PYTHON = os.environ.get("RNN_ALONE")
if not PYTHON:
    pytest.skip("sets up a Python of its own: only with `make test-alone`", allow_module_level=True)
PYTHON = Path(PYTHON).absolute()


def pip(*arguments):
    command = [PYTHON, "-m", "pip", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def packages():
    return set(pip("freeze", "--all").splitlines())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The workbook's, with a wheel in a folder as its address; the bare Python is bare."""
    pip("uninstall", "--yes", "rnn-workbook", "tqdm")
    wheel = build_wheel(tmp_path_factory.mktemp("a folder"))
    address = wheel.as_uri().replace("file://", "file://localhost")  # as pyproject.toml takes it
    return anywhere.project(ROOT)._replace(repository=address)


@pytest.fixture(autouse=True)
def kernel(tmp_path_factory, monkeypatch):
    """The kernel "alone": IPython in the bare Python, with nothing of this one."""
    folder = tmp_path_factory.mktemp("kernel")
    spec = {"argv": [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    (folder / "kernels" / "alone").mkdir(parents=True)
    spec |= {"display_name": "alone", "language": "python"}
    (folder / "kernels" / "alone" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(folder))
    monkeypatch.setenv("RNN_WORKBOOK_STATE", "")
    monkeypatch.setenv("PATH", str(PYTHON.parent), prepend=os.pathsep)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def run(notebook, folder):
    """Run a notebook that is alone in its folder."""
    assert not list(folder.iterdir())
    nbformat.write(notebook, folder / "lesson.ipynb")
    NotebookClient(
        nbformat.read(folder / "lesson.ipynb", as_version=4),
        kernel_name="alone",
        timeout=600,
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def lesson(name, project):
    text = (ROOT / source_path(name)).read_text(encoding="utf-8")
    return anywhere.complete(read_lesson(text, name, registry()), name, project)


@pytest.mark.parametrize("name", lesson_names(ROOT))
def test_a_lesson_runs_alone_in_an_empty_folder(name, project, tmp_path):
    before = packages()
    run(lesson(name, project).learner, tmp_path)
    after = packages()
    assert before <= after  # nothing of the host's was replaced
    assert any(line.startswith("rnn-workbook @ file:") for line in after)
    assert not any(line.startswith("jupyterlab==") for line in after)
