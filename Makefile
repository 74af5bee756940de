# `make lab` and `make test` are all you need; `make help` lists the rest.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
LAB := .venv/.lab
READY := .venv/.dev
UNIT := $(BIN)/python -m pytest -n 2 --dist loadgroup
# The tests that cover the maths. Counting its lines takes half as long again, so the rest does without.
MATHS := $(wildcard $(patsubst utils/%.py,tests/test_%.py,$(subst utils/_,utils/,$(wildcard utils/*.py)))) \
  tests/test_distributed.py tests/test_nan.py
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=120 --dist loadscope
export PYTHONUTF8 := 1
# The matrices here are small: threads would spend their time waiting for each other.
OPENBLAS_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS
# A virtual environment can't be moved: one that was made in another place, or has lost its Python,
# is made again.
STALE := $(shell { grep -qF "$(CURDIR)/.venv/bin/" $(BIN)/pip && $(BIN)/python -c ""; } 2>/dev/null \
  || echo stale)

.PHONY: help lab test lint unit notebooks test-browser test-hub test-alone bench build grade slides \
  book lock clean stale

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

lab: $(LAB)  ## set up, then open JupyterLab on the first lesson (ARGS="--no-browser --port 8890")
	@$(BIN)/python -m utils.lab $(ARGS)

test: lint unit notebooks  ## set up, then run everything that CI runs

lint: $(READY)  ## style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: $(READY)  ## unit tests, all lines of the maths covered, banks of mistakes, notebooks in step
	RNN_WORKBOOK_STATE= $(UNIT) --cov --cov-report=term $(MATHS)
	RNN_WORKBOOK_STATE= $(UNIT) -rs tests $(addprefix --ignore=,$(MATHS))

notebooks: $(READY)  ## run every notebook and compare its outputs with the stored ones
	RNN_WORKBOOK_STATE= $(BIN)/python -m pytest -n 2 $(NBVAL) notebooks tests/executed solutions

test-browser: $(READY)  ## JupyterLab in headless Chromium: every lesson, slider and theme (needs Chromium)
	rm -rf .build/browser
	RNN_WORKBOOK_STATE= RNN_BROWSER=1 $(BIN)/python -m pytest -n 2 --dist worksteal -rs tests/browser

test-hub: $(READY)  ## try the class server for real: a JupyterHub on this machine (needs Node.js)
	PYTHON=$(BIN)/python sh deploy/jupyterhub/install.sh .build/hub
	RNN_WORKBOOK_STATE= RNN_HUB=.build/hub $(BIN)/python -m pytest tests/hub

test-alone: $(READY)  ## every lesson in an empty folder, the workbook as a wheel, in a bare Python
	$(BIN)/python -m venv --clear .build/alone
	.build/alone/bin/python -m pip install --quiet --retries 1 numpy matplotlib ipywidgets ipykernel \
	  --extra-index-url https://download.pytorch.org/whl/cpu "$$(grep ^torch== requirements.lock)"
	RNN_ALONE=.build/alone/bin/python $(BIN)/python -m pytest tests/alone

bench: $(READY)  ## time the maths against PyTorch and write docs/benchmarks.md (some minutes)
	$(BIN)/python -m utils.authoring.benchmark

build: $(READY)  ## solutions/*.py -> the notebooks, run and not run (ARGS="01 --fresh")
	$(BIN)/python -m utils.authoring.build $(ARGS)
	$(BIN)/python -m utils.authoring.mistakes
	$(BIN)/python -m utils.authoring.timings
	$(BIN)/python -m utils.authoring.picture
	$(BIN)/python -m utils.authoring.anywhere

grade: $(READY)  ## grade a folder of submitted notebooks (FROM=submissions ARGS="--out sheets")
	$(BIN)/python -m utils.authoring.grade "$(FROM)" $(ARGS)

slides: $(READY)  ## lessons 1 to 4 as slides that need no network -> .build/slides/
	$(BIN)/python -m utils.authoring.slides

book: $(READY)  ## the lessons to read: a site that needs no network -> .build/book/html/
	$(BIN)/python -m utils.authoring.book

lock: $(READY)  ## newest versions within the ranges of pyproject.toml -> requirements.lock
	$(BIN)/python -m pip install -qq uv
	{ grep '^#' requirements.lock; grep ^torch== requirements.lock | $(BIN)/uv pip compile --quiet --universal \
	  --fork-strategy fewest --python-version 3.11 --extra lab --extra dev --no-header --no-annotate --upgrade \
	  --constraint - pyproject.toml | grep -vE '^(nvidia-|cuda-|triton)'; } > .venv/new.lock
	mv .venv/new.lock requirements.lock

clean:  ## remove the virtual environment and what tools left behind
	rm -rf .venv .build .pytest_cache .ruff_cache .hypothesis .coverage

# Set-up in two steps, one lock file: what a learner needs, and what the tests need as well.
$(LAB): requirements.lock pyproject.toml $(STALE)
	@command -v $(PYTHON) >/dev/null || { echo \
	  "Python 3.11 to 3.14 is needed; there is no $(PYTHON). Install one." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 15) or sys.exit( \
	  "Python 3.11 to 3.14 is needed; $(PYTHON) is %d.%d. Install one, then: make PYTHON=python3.12 lab" % v)'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo \
	  "This Python has no venv module. On Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv, which takes a minute or two."
	@$(if $(STALE),$(PYTHON) -m venv --clear .venv)
	@$(INSTALL_TORCH)
	@command -v uv >/dev/null || $(PIP) uv 2>/dev/null || true
	@$(call INSTALL,lab)
	@touch $@

$(READY): $(LAB)
	@echo "Adding to .venv what tests and builds need."
	@$(call INSTALL,lab$(COMMA)dev)
	@touch $@

# On Linux PyPI's torch brings gigabytes of CUDA, which this workbook does not need: without an
# NVIDIA card the CPU build is taken from PyTorch's own index, where that can be reached.
PIP = $(BIN)/python -m pip install -qq
define INSTALL_TORCH
if [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
  $(PIP) --retries 1 --no-deps --index-url https://download.pytorch.org/whl/cpu \
    "$$(grep ^torch== requirements.lock)" 2>/dev/null \
    || echo "PyTorch's own index cannot be reached: taking torch from PyPI."; fi
endef

# uv is many times faster; pip goes on where uv can't, behind a mirror that only pip knows, say.
COMMA := ,
define INSTALL
$$(command -v uv || echo $(BIN)/uv) pip install -qq --python $(BIN)/python -c requirements.lock \
  -e ".[$(1)]" 2>/dev/null || $(PIP) -c requirements.lock -e ".[$(1)]"
endef
