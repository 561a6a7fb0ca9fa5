# `make` lists the targets. Everything a target needs it sets up itself, in .venv and frontend/node_modules.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
NODE   := frontend/node_modules
# Tests run side by side; whoever is done takes tests from the other. WORKERS=0 runs them one after another.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint bench bench-tab bench-runs pictures bench-probe bench-long fuzz kills test-versions accuracy compatibility odd-models accuracy-seeds bundle bundle-check frontend-test browser python-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## train a healthy and two sick networks and show them in TensorBoard
	$(BIN)/tb-activations demo

test: lint frontend-test bundle-check browser python-test ## everything that must hold; what continuous integration runs

check: lint frontend-test ## the quick part of it: style, types, unit tests
	$(PYTEST) tests/records tests/health tests/events tests/pictures tests/comparison tests/recording tests/report tests/cli tests/project

bench: $(VENV)/.dev ## measure what is promised about speed
	$(BIN)/python -m benchmarks

accuracy: $(VENV)/.dev ## train known healthy and sick networks and print how often the rules are right
	$(BIN)/python -m benchmarks.accuracy --markdown docs/accuracy.md

accuracy-seeds: $(VENV)/.dev ## false alarms over thirty fresh seeds of ten healthy trainings
	$(BIN)/python -m benchmarks.accuracy --seeds 30

bench-long: $(VENV)/.dev ## 50,000 observed steps: memory stays flat, event files keep their bound
	$(BIN)/python -m benchmarks.long_run

fuzz: $(VENV)/.dev ## 20,000 hostile requests and 2,000 hostile event files against a real TensorBoard
	$(BIN)/python -m benchmarks.fuzz

kills: $(VENV)/.dev ## kill a training at twenty random moments; what was flushed opens and is continued
	$(BIN)/python -m benchmarks.kills

test-versions: $(VENV)/.dev ## prove the oldest and the newest releases that setup.py admits, on each Python found here; write docs/versions.md
	$(BIN)/python -m benchmarks.versions

bench-tab: $(VENV)/.dev browser ## measure how fast the tab opens and follows the step cursor
	$(BIN)/python -m benchmarks.tab_speed

bench-runs: $(VENV)/.dev ## measure the command line and the tab over a thousand runs, next to TensorBoard's own list
	$(BIN)/python -m benchmarks.many_runs

bench-probe: $(VENV)/.dev ## measure what looking into every layer costs, beside the ways people use
	$(BIN)/python -m benchmarks.probe_cost

pictures: $(VENV)/.dev browser ## make the pictures of README and guide from the demo
	$(BIN)/python -m tests.browser.make_pictures

compatibility: $(VENV)/.compatibility ## train every kind of model in every mode, every architecture; write docs/compatibility.md
	$(BIN)/python -m benchmarks.compatibility

odd-models: $(VENV)/.dev ## train two hundred models made at random with and without observing; nothing may differ
	$(BIN)/python -m benchmarks.odd_models

bundle: $(NODE)/.installed ## build the tab into tb_activations/static
	cd frontend && npm run --silent build

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

frontend-test: $(NODE)/.installed
	cd frontend && npm run --silent check && npm run --silent test

bundle-check: bundle
	@git diff --exit-code --stat -- tb_activations/static && test -z "$$(git ls-files --others -- tb_activations/static)" \
	  || { echo "The built tab is stale: commit what 'make bundle' made."; exit 1; }

browser:
	@.ci/install-browser

python-test: $(VENV)/.dev $(NODE)/.installed browser
	$(PYTEST)

# The extra a stamp stands for is installed once, and again when setup.py changes.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.dev $(VENV)/.demo $(VENV)/.compatibility: $(VENV)/.%: setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

$(NODE)/.installed: frontend/package.json frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
