# Every command that a person or CI needs. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test test-slow check format lint types imports fix schema clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[demo,dev]'
	@touch $@

setup: $(READY) ## make a virtual environment in .venv and install ftcli into it

demo: $(READY) ## fine-tune a pretrained network on handwritten digits, offline
	$(BIN)/ftcli train recipes/vision/quickstart.yaml

test: $(READY) ## run the tests (the quick ones; see test-slow)
	$(BIN)/python -m pytest

test-slow: $(READY) ## run every test that this machine can, the slow ones too
	$(BIN)/python -m pytest -m 'not network'

check: $(READY) format lint types imports test ## everything CI asks for: format, lint, types, imports, tests

format: $(READY) ## is the code formatted? (make fix formats it)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

fix: $(READY) ## format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(READY) ## renew recipes/schema.json after a change of the recipe
	$(BIN)/ftcli schema --out recipes/schema.json

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
