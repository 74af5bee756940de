"""Is everything here that the lessons need? If not: what to do, in the place where this runs."""

import os
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from . import __version__

PROJECT = "rnn-workbook"
ROOT = Path(__file__).parents[1]
HOSTS = (  # by a sign in the environment; in order, for Kaggle is a Colab too and Binder a hub
    ("Kaggle", "KAGGLE_KERNEL_RUN_TYPE"),
    ("Colab", "COLAB_RELEASE_TAG"),
    ("Binder", "BINDER_REPO_URL"),
    ("Codespaces", "CODESPACES"),
    ("hub", "JUPYTERHUB_USER"),
)


def ready(version):
    """Nothing, if a notebook of this version ("0.1.0") of the workbook can run here.

    Raises UsageError if a package is missing, or the workbook's tools are older than the notebook:
    Jupyter shows its sentence and no traceback.
    """
    from IPython.core.error import UsageError  # only in a notebook

    missing = [name for name in _packages() if _installed(name) is None]
    if missing:
        raise UsageError(f"Not installed here: {', '.join(missing)}. {advice()}")
    if _numbers(__version__) < _numbers(version):
        older = f"This notebook is of version {version}, the workbook's tools are {__version__}."
        raise UsageError(f"{older} {advice()}")


def check_environment():
    """Print [ok] or [fail] with the version for Python and each package the project asks for."""
    lines = _report()
    print("\n".join(lines))
    if any(line.startswith("[fail]") for line in lines):
        print(f"\nSomething is missing. {advice()}")


def place():
    """Where this runs: the name of a host, or "make lab", "conda", "clone" or "package".

    The last two are the workbook's folder in any other Python, and the workbook as an installed
    package, without its folder.
    """
    for host, sign in HOSTS:
        if os.environ.get(sign):
            return host
    if not is_clone():
        return "package"
    if Path(sys.prefix).resolve() == (ROOT / ".venv").resolve() and shutil.which("make"):
        return "make lab"
    return "conda" if (Path(sys.prefix) / "conda-meta").is_dir() else "clone"


def is_clone():
    """Whether the workbook's whole folder is here, and not only its tools."""
    return (ROOT / "pyproject.toml").is_file()


def advice():
    """What to do where something is missing or too old: a sentence or two."""
    address = installable(_repository())
    if address:
        cell = f'In a new cell run `%pip install --upgrade "{address}"`, then restart'
    else:
        cell = "Install the workbook again, as its README says, then restart"
    match place():
        case "Kaggle":
            return f"Switch Internet on in the notebook's settings. {cell} the session."
        case "Colab":
            return f"{cell} the session (in the menu Runtime)."
        case "Binder":
            return "Close this page and open the workbook's Binder link again."
        case "Codespaces":
            return "Press F1 and choose “Codespaces: Rebuild Container”."
        case "hub":
            return "Tell whoever runs this server."
        case "make lab":
            return "Close JupyterLab and start it with `make lab`."
        case "conda":
            return f"In a terminal, in {ROOT}: `conda env update -f environment.yml`. Then restart."
        case "clone":
            options = f'-c "{ROOT / "requirements.lock"}" -e "{ROOT}[lab]"'
            return f"In a new cell run `%pip install {options}`, then restart the kernel."
    return f"{cell} the kernel."


def installable(repository):
    """What pip installs the workbook from: a repository's newest state, any other address as it is.

    None for a placeholder: an address on GitHub whose owner is still called OWNER.
    """
    if not repository or repository.startswith("https://github.com/OWNER/"):
        return None
    if repository.startswith("https://github.com/"):
        return f"{repository.removesuffix('.git')}/archive/refs/heads/main.zip"
    return repository


def _report():
    from packaging.requirements import Requirement

    try:
        wanted = metadata.metadata(PROJECT)["Requires-Python"]
    except metadata.PackageNotFoundError:
        return [f"[fail] {PROJECT}: not installed"]
    python = "{}.{}.{}".format(*sys.version_info[:3])
    lines = [_line(Requirement(f"python{wanted}"), python)]
    # JupyterLab and its kernel are ours to look after only where this folder was set up for them
    extras = ["", "lab"] if is_clone() else [""]
    for requirement in map(Requirement, metadata.requires(PROJECT) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            lines.append(_line(requirement, _installed(requirement.name)))
    return lines


def _line(requirement, version):
    if version is None:
        return f"[fail] {requirement.name}: not installed, {requirement.specifier} is needed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"[fail] {requirement.name} {version}: {requirement.specifier} is needed"
    return f"[ok]   {requirement.name} {version}"


def _packages():
    """The names of the packages that the lessons import; none known where it isn't installed."""
    try:
        wanted = metadata.requires(PROJECT) or ()
    except metadata.PackageNotFoundError:
        return []
    return [re.match(r"[\w.-]+", text)[0] for text in wanted if "extra ==" not in text]


def _installed(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _repository():
    """The address under [project.urls], as it was when this was installed; None without one."""
    try:
        urls = metadata.metadata(PROJECT).get_all("Project-URL") or ()
    except metadata.PackageNotFoundError:
        return None
    return dict(url.split(", ", 1) for url in urls).get("Repository")


def _numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]
