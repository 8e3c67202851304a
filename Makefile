# Every command that a person or CI needs. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo browser test test-slow faults fuzz check format lint types imports fix schema clean \
	bench bench-quick bench-scale bench-venv bench-data study-planner

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[demo,dev]'
	@touch $@

setup: $(READY) ## make a virtual environment in .venv and install ftcli into it

demo: $(READY) ## fine-tune a pretrained network on handwritten digits, offline
	$(BIN)/ftcli train recipes/vision/quickstart.yaml

# Two processes of one thread each: small tensors gain nothing by threads.
TESTERS ?= 2

test: $(READY) ## run the tests (the quick ones; see test-slow)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

browser: ## install Chromium, in which pages are tested (Debian's package, as root); without it those tests are skipped
	command -v chromium > /dev/null || apt-get install --yes --no-install-recommends chromium

test-slow: $(READY) ## run every test that this machine can, the slow ones too
	-$(MAKE) browser
	$(BIN)/python -m pytest -m 'not network'

faults: $(READY) ## what is survived: a table of faults that are injected; ARGS=--full for the slow ones too
	$(BIN)/python -m tests.faults $(ARGS)

fuzz: $(READY) ## thousands of recipes and manifests that nobody would write
	$(BIN)/python -m pytest -m fuzz --hypothesis-profile=fuzz

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

# Speed beside fastai, Lightning, HF Trainer and a loop of timm's, which live in an environment of their own: their
# users have it so, and what they pin is none of ftcli's business. torch, torchvision, timm and numpy are ftcli's versions.
BENCH_VENV ?= .bench-venv
BENCH_OUT ?= runs/speed
BENCH_DATA ?= $(BENCH_OUT)/fashion-mnist
BENCH_PEERS := fastai lightning transformers accelerate
BENCH_OPTIONS = --peers $(BENCH_VENV)/bin/python --out $(BENCH_OUT) --fashion-mnist $(BENCH_DATA) $(ARGS)

bench: bench-venv bench-data ## measure speed beside its peers, hours; ARGS='--only probe' for a part of it
	$(BIN)/python -m tests.benchmarks.speed $(BENCH_OPTIONS)

bench-quick: bench-venv bench-data ## the same in some minutes: a look, no measurement
	$(BIN)/python -m tests.benchmarks.speed --quick $(BENCH_OPTIONS)

bench-scale: bench-venv bench-data ## how time, memory and disk grow; ARGS='--images 1000 10000 50000'
	$(BIN)/python -m tests.benchmarks.speed.scale $(BENCH_OPTIONS)

bench-venv: $(BENCH_VENV)/.ready

$(BENCH_VENV)/.ready: $(READY)
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BIN)/python -m pip freeze | grep -E '^(torch|torchvision|timm|numpy|pillow)==' > $(BENCH_VENV)/same.txt
	$(BENCH_VENV)/bin/python -m pip install --quiet --requirement $(BENCH_VENV)/same.txt $(BENCH_PEERS)
	@touch $@

bench-data: $(BENCH_DATA)/.ready

# Debian's package holds the images; away from Debian the benchmarks take scikit-learn's digits, and say so.
$(BENCH_DATA)/.ready:
	@mkdir -p $(BENCH_DATA)
	@cd $(BENCH_DATA) && if apt-get download dataset-fashion-mnist; then dpkg-deb -x dataset-fashion-mnist_*.deb . \
	  && rm dataset-fashion-mnist_*.deb; else echo 'no Fashion-MNIST: digits are used'; fi
	@touch $@

# The planner's choice beside every other strategy. What stands in STUDY_OUT is not run again: with another file, or without
# it, everything is. EMOJI are folders of unpacked emoji-datasource packages, in which emoji.json lies.
STUDY_OUT ?= tests/studies/results/planner.jsonl
EMOJI ?=

study-planner: $(READY) bench-data ## what plan's advice costs against the best of all strategies, hours; ARGS=--show for a look
	$(BIN)/python -m tests.studies.planner --out $(STUDY_OUT) --fashion-mnist $(BENCH_DATA) $(EMOJI:%=--emoji %) $(ARGS)

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info
