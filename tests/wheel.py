"""The workbook as a wheel."""

import shutil
import subprocess
import sys
from pathlib import Path

from utils.authoring.build import ROOT


def build_wheel(folder: Path) -> Path:
    """Build it from a copy in this folder, without a network; returns the wheel's path."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "utils", folder / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*command, "-w", "dist"], cwd=folder, capture_output=True, check=True)
    (path,) = (folder / "dist").glob("*.whl")
    return path
