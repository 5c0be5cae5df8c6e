# Few targets; each sets up what it needs. Needs Python 3.11+ and make only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint fix bench docs lock clean
.DEFAULT_GOAL := setup

setup: $(STAMP)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("kubewitness needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@command -v uv >/dev/null 2>&1 || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@UV=$$(test -x $(BIN)/uv && echo $(BIN)/uv || command -v uv); \
	  $$UV pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock && \
	  $$UV pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

demo: setup
	$(BIN)/kubewitness scan examples/aks-attack
	$(BIN)/kubewitness scan examples/aks-attack --format html -o report.html

test: setup
	$(BIN)/python -m pytest -q --numprocesses auto --maxprocesses 4 --dist loadgroup

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/run.py --many-rules --parts
	$(BIN)/python benchmarks/apply.py
	$(BIN)/python benchmarks/lake.py
	$(BIN)/python benchmarks/questions.py

docs: setup
	$(BIN)/python docs/generate.py

lock: $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis report.html
