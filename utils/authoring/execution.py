"""Executing a notebook, and making what it gave fit to be stored: verified, clean, repeatable."""

import os
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from utils.authoring.source import METADATA, BuildError, Task, cell_label

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
VOLATILE = "nbval-ignore-output"


def execute(notebook: NotebookNode, folder: Path, timeout: int = 120) -> None:
    """Run all cells in a fresh kernel working in `folder`; the outputs are stored in `notebook`.

    Raises BuildError with cell and reason when a cell fails or takes more than `timeout` seconds.
    """
    place = "before the first cell"

    def note(cell, cell_index):
        nonlocal place
        place = cell_label(cell_index + 1, cell.source)

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        extra_arguments=["--log-level=ERROR"],  # no warning about a local connection each time
        record_timing=False,  # else each cell's metadata say when it ran
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=note,
    )
    # Empty: the author's own progress is neither read nor changed.
    env = os.environ | {"RNN_WORKBOOK_STATE": ""}
    env.pop("MPLBACKEND", None)  # another backend than the notebook's would show no figure
    try:
        client.execute(env=env)
    except CellExecutionError as error:
        raise BuildError(f"{place}: {error.ename}: {error.evalue}") from None
    except CellTimeoutError:
        raise BuildError(f"{place}: took longer than {timeout} s") from None
    except DeadKernelError:
        raise BuildError(f"{place}: the kernel died") from None


def verify(notebook: NotebookNode, tasks: dict[str, Task], status: str) -> None:
    """Every task of an executed notebook, and no other cell, shows one report, with this status.

    Raises BuildError with cell and reason otherwise.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        shown = [o for o in cell.get("outputs", []) if "workbook" in o.get("metadata", {})]
        task = tasks.get(cell.id)
        reason = None
        if task is None:
            if shown:
                reason = "shows a report, but the source has no exercise or question here"
        elif len(shown) != 1:
            reason = f"{task.kind} {task.id} shows {len(shown)} reports, not one"
        else:
            expected = {"kind": task.kind, "id": task.id, "status": status}
            got = dict(shown[0].metadata.workbook)
            if got != expected:
                reason = f"expected the report {expected}, got {got}"
        if reason:
            texts = [o.get("data", {}).get("text/plain", "") for o in shown]
            raise BuildError("\n".join([f"{cell_label(number, cell.source)}: {reason}", *texts]))


def keep_volatile(notebook: NotebookNode, old: NotebookNode) -> None:
    """Timings differ each time: take the outputs of such cells from `old` where it has the cell."""
    stored = {cell.get("id"): cell for cell in old.cells}
    for cell in notebook.cells:
        same = stored.get(cell.id)
        if VOLATILE in cell.metadata.get("tags", []) and same and same.source == cell.source:
            cell.outputs = same.get("outputs", [])
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = cell.execution_count


def clean(notebook: NotebookNode) -> None:
    """Take out what differs at each execution or doesn't belong into a stored notebook."""
    notebook.metadata = NotebookNode(METADATA)  # without widget state and version numbers
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # A widget view is a random id that shows nothing without a kernel.
            views = [o for o in cell.outputs if WIDGET_VIEW in o.get("data", {})]
            cell.outputs = merge_streams([o for o in cell.outputs if o not in views])


def merge_streams(outputs: list) -> list:
    """Outputs with each run of stream outputs made one stdout and one stderr.

    A kernel sends text in pieces of any size, and the two streams in any order.
    """
    merged, streams = [], {}
    for output in [*outputs, None]:
        if output is not None and output.output_type == "stream":
            if output.name in streams:
                streams[output.name].text += output.text
            else:
                streams[output.name] = NotebookNode(output)
            continue
        merged += [streams[name] for name in sorted(streams, reverse=True)]
        streams = {}
        if output is not None:
            merged.append(output)
    return merged
