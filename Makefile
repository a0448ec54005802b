# `make demo` and `make test` set themselves up from nothing: a Python 3.11+ and network access to a
# package index are all they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
export TF_CPP_MIN_LOG_LEVEL ?= 2
export TF_ENABLE_ONEDNN_OPTS ?= 1

.PHONY: setup demo test test-slow test-serving lint format bench wheel build-file buildifier clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("keras_fasterseg needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

demo: setup
	$(BIN)/python -m tools.run_all --flagfile=flags/presets/demo.flags --workdir=runs/demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: setup
	$(BIN)/python -m pytest -m slow

# Real servers on 127.0.0.1: kserve and a PredictionService beside the clients, and Triton, whose
# Python backend is linked to Debian's Python. kserve holds psutil back.
SERVING := tests/environments/serving
TRITON_PYTHON ?= /usr/bin/python3.11
test-serving: .venv-serving/.ready .venv-triton/.ready
	.venv-serving/bin/python -m pytest $(SERVING)

.venv-serving/.ready: requirements.txt $(SERVING)/requirements.txt
	test -x .venv-serving/bin/python || $(PYTHON) -m venv .venv-serving
	.venv-serving/bin/python -m pip install --quiet --disable-pip-version-check -r $(SERVING)/requirements.txt -c <(grep -v ^psutil requirements.txt)
	.venv-serving/bin/python -m pip install --quiet --disable-pip-version-check --no-deps tensorflow-serving-api==2.21.0
	touch $@

.venv-triton/.ready: $(SERVING)/requirements-triton.txt
	test -x .venv-triton/bin/python || $(TRITON_PYTHON) -m venv .venv-triton
	.venv-triton/bin/python -m pip install --quiet --disable-pip-version-check -r $(SERVING)/requirements-triton.txt
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m tools.benchmarks.supernet_step

# Builds the wheel and tries it in an environment that has nothing else, away from the checkout.
wheel: setup
	rm -rf build dist keras_fasterseg.egg-info .venv-wheel
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	rm -rf build keras_fasterseg.egg-info
	$(BIN)/python -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.txt "$$(echo dist/*.whl)[cpu]"
	smoke=$(CURDIR)/tests/wheel_smoke.py && python=$(CURDIR)/.venv-wheel/bin/python && cd "$$(mktemp -d)" && "$$python" -I "$$smoke"
	rm -rf .venv-wheel

# BUILD, from the tree and its imports.
build-file: setup
	$(BIN)/python -m tools.build_file

buildifier:
	npx --yes @bazel/buildifier@8.2.1 -mode=check -lint=warn -warnings=all BUILD

clean:
	rm -rf $(VENV) runs
