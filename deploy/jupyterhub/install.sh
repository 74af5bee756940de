#!/bin/sh
# Set up the class server's environment: JupyterHub, its proxy and the workbook, in one folder.
#   sh deploy/jupyterhub/install.sh [FOLDER]        FOLDER: /opt/rnn-hub unless told otherwise
# Needs Python 3.11 to 3.14 (PYTHON=python3.12 takes another one) and Node.js 20 or newer.
# Run again after an update of the workbook: it brings the environment up to date.
set -eu
umask 022 # learners read this folder; nobody but its owner writes to it
target=${1:-/opt/rnn-hub}
PYTHON=${PYTHON:-python3}
mkdir -p "$target"
target=$(cd "$target" && pwd)
cd "$(dirname "$0")/../.."

node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || {
  echo "Node.js 20 or newer is needed for the proxy." >&2
  exit 1
}
[ -x "$target/bin/python" ] || "$PYTHON" -m venv "$target"
pip="$target/bin/python -m pip install --quiet --disable-pip-version-check"
if [ "$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null; then # else: gigabytes of CUDA
  $pip --retries 1 --no-deps --index-url https://download.pytorch.org/whl/cpu \
    "$(grep ^torch== requirements.lock)" ||
    echo "PyTorch's own index cannot be reached: taking torch from PyPI."
fi
$pip -c requirements.lock -r deploy/jupyterhub/requirements.txt -e ".[lab]"
"$target/bin/jupyter" labextension disable --level=sys_prefix \
  "@jupyterlab/apputils-extension:announcements" >/dev/null 2>&1 # would ask the network for news
npm install --silent --no-audit --no-fund --prefix "$target" configurable-http-proxy@5.3.0
echo "Ready: $target/bin/jupyterhub"
