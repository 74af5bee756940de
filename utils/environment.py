"""Is everything installed that the lessons need?"""

import sys
from importlib import metadata

from packaging.requirements import Requirement

PROJECT = "rnn-workbook"


def check_environment():
    """Print [ok] or [fail] with the version for Python and each package the project asks for."""
    wanted = metadata.metadata(PROJECT)["Requires-Python"]
    python = "{}.{}.{}".format(*sys.version_info[:3])
    lines = [_line(Requirement(f"python{wanted}"), python)]
    for text in metadata.requires(PROJECT):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            lines.append(_line(requirement, _installed(requirement.name)))
    print("\n".join(lines))
    if any(line.startswith("[fail]") for line in lines):
        print("\nSomething is missing: close JupyterLab and start it with `make lab`.")


def _line(requirement, version):
    if version is None:
        return f"[fail] {requirement.name}: not installed, {requirement.specifier} is needed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"[fail] {requirement.name} {version}: {requirement.specifier} is needed"
    return f"[ok]   {requirement.name} {version}"


def _installed(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
