# `make` lists the targets. Each target installs what it needs in .venv and frontend/node_modules.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
NODE   := frontend/node_modules
# Number of test processes: more than cores, as many tests wait for servers. WORKERS=0 runs all in one process.
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

# Tests start many programs, which import the package more quickly once it is compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check lint docs bench bench-quick bench-tab bench-networks bench-minutes bench-alternatives bench-runs bench-pruning bench-judging pictures bench-regression bench-remote bench-stored bench-probe bench-long bench-spikes fuzz kills test-versions thorough accuracy advice compatibility odd-models accuracy-seeds bundle bundle-check frontend-test browser python-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## train one healthy and two sick networks and show them in TensorBoard
	$(BIN)/tb-activations demo

test: lint frontend-test bundle-check docs browser python-test ## run all checks and tests, as continuous integration does

check: lint frontend-test ## run the quick checks: style, types, unit tests
	$(PYTEST) tests/records tests/health tests/events tests/pictures tests/comparison tests/recording tests/report tests/cli tests/project

docs: $(VENV)/.dev $(VENV)/.docs ## build the documentation with the API reference into build/site
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env docs build/site

bench: $(VENV)/.dev ## measure the overhead by how often a training is observed; write it into docs/benchmarks.md
	$(BIN)/python -m benchmarks --markdown docs/benchmarks.md

bench-quick: $(VENV)/.dev ## measure the overhead of two networks: what a change is most likely to slow
	$(BIN)/python -m benchmarks --quick

accuracy: $(VENV)/.dev ## train networks of known health, score the rules, write docs/accuracy.md
	$(BIN)/python -m benchmarks.accuracy --markdown docs/accuracy.md

advice: $(VENV)/.dev ## follow the advice for each sick case by script, train again, write docs/advice.md
	$(BIN)/python -m benchmarks.advice --markdown docs/advice.md

accuracy-seeds: $(VENV)/.dev ## count false alarms over thirty new seeds of 23 healthy trainings
	$(BIN)/python -m benchmarks.accuracy --seeds 30

bench-long: $(VENV)/.dev ## observe 50,000 steps: memory stays constant, event files stay within their bound
	$(BIN)/python -m benchmarks.long_run

fuzz: $(VENV)/.dev ## send 20,000 hostile requests and 2,000 hostile event files to a real TensorBoard
	$(BIN)/python -m benchmarks.fuzz

kills: $(VENV)/.dev ## kill a training at twenty random moments and continue it each time
	$(BIN)/python -m benchmarks.kills

test-versions: $(VENV)/.dev ## test the oldest and newest supported releases on each Python found; write docs/versions.md
	$(BIN)/python -m benchmarks.versions

bench-tab: $(VENV)/.dev browser ## measure how fast the tab opens and follows the step cursor
	$(BIN)/python -m benchmarks.tab_speed

bench-networks: $(VENV)/.dev ## measure ResNet50 and other deep networks with and without observing; write it into docs/benchmarks.md
	$(BIN)/python -m benchmarks.real_networks --markdown docs/benchmarks.md

bench-minutes: $(VENV)/.dev ## compare ten minutes of ResNet50 with and without the callback; write it into docs/benchmarks.md
	$(BIN)/python -m benchmarks.ten_minutes --markdown docs/benchmarks.md

bench-alternatives: $(VENV)/.alternatives ## measure other ways to watch a training; write it into docs/benchmarks.md
	$(BIN)/python -m benchmarks.alternatives --markdown docs/benchmarks.md

bench-runs: $(VENV)/.dev ## measure the command line and the tab with 1,000 runs, compared with TensorBoard's own list
	$(BIN)/python -m benchmarks.many_runs

bench-stored: $(VENV)/.dev ## measure how fast stored runs of ResNet50 are read and served; write it into docs/benchmarks.md
	$(BIN)/python -m benchmarks.stored --markdown docs/benchmarks.md

bench-regression: $(VENV)/.dev ## repeat a training 20 times, with one and two threads, and change it in nine ways
	$(BIN)/python -m benchmarks.regression

bench-spikes: $(VENV)/.dev ## measure how well a stale second moment predicts spikes of the loss
	$(BIN)/python -m benchmarks.spikes

bench-judging: $(VENV)/.dev ## time the rules on records of 1,000 layers with a finding in each
	$(BIN)/python -m benchmarks.judging

bench-remote: $(VENV)/.dev ## time the steps of a training that is recorded on a slow S3-compatible server
	$(BIN)/python -m benchmarks.remote

bench-probe: $(VENV)/.dev ## measure `probe` on all layers, compared with the usual recipes
	$(BIN)/python -m benchmarks.probe_cost

bench-pruning: $(VENV)/.dev ## search hyperparameters with and without LayerHealthPruner: time saved, best trial kept
	$(BIN)/python -m benchmarks.pruning

pictures: $(VENV)/.dev browser ## take the screenshots of README and guide from a sweep and the demo
	$(BIN)/python -m tests.browser.make_pictures

compatibility: $(VENV)/.compatibility ## train every kind of model in every mode, and every architecture; write docs/compatibility.md
	$(BIN)/python -m benchmarks.compatibility

thorough: $(VENV)/.dev $(NODE)/.installed browser ## run the Python tests with all their further kinds
	$(PYTEST) --thorough

odd-models: $(VENV)/.dev ## train 200 random models with and without the callback; results must be identical
	$(BIN)/python -m benchmarks.odd_models

bundle: $(NODE)/.installed ## build the tab into tb_activations/static
	cd frontend && npm run --silent build

lint: $(VENV)/.dev ## check style, types and the word list
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.project.words

frontend-test: $(NODE)/.installed
	cd frontend && npm run --silent check && npm run --silent test

bundle-check: bundle
	@git diff --exit-code --stat -- tb_activations/static && test -z "$$(git ls-files --others -- tb_activations/static)" \
	  || { echo "The built tab is out of date: run 'make bundle' and commit the result."; exit 1; }

browser:
	@.ci/install-browser

python-test: $(VENV)/.dev $(NODE)/.installed browser
	$(PYTEST)

# Each stamp file represents one extra of setup.py. The extra is installed again when setup.py changes.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.dev $(VENV)/.demo $(VENV)/.compatibility $(VENV)/.alternatives $(VENV)/.docs: $(VENV)/.%: setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

$(NODE)/.installed: frontend/package.json frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
