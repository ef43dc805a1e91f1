# Every target sets up what it needs in .venv, from the lock. A fresh machine needs Python 3.11 or later, make and git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ENV := $(VENV)/.installed

PYTEST_ARGS ?=
SIM_SEEDS ?= 2000
PROPERTY_EXAMPLES ?= 10000
FUZZ_REQUESTS ?= 10000
MUTANT_SEEDS ?= 200
BENCH_ARGS ?=

# Each writes its files when run plainly, and with --check prints the difference and fails if they are not up to date.
GENERATORS = $(wildcard tools/generate_*.py)
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-header $(LOCK_ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo test verify fmt lint types layers spelling links drift contract properties packing predictions sim sim-mutants bench \
	generate generate-latest botocore-latest conformance-latest coverage-mutants gaps fuzz docs lock changelog clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

$(ENV): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Longshore needs Python 3.11 or later; choose one with: make PYTHON=python3.11 ..." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(ENV) ## watch a real workload go through, then see what to try next
	$(BIN)/python demo/run.py

test: $(ENV) ## run the tests; real parts that are absent are skipped, each with its reason
	$(BIN)/pytest --numprocesses=auto --no-loadscope-reorder $(PYTEST_ARGS)

contract: $(ENV) ## run the store and engine contracts only
	$(BIN)/pytest tests/contract $(PYTEST_ARGS)

verify: lint types layers spelling links drift ## every check that runs no code of ours

lint: $(ENV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(ENV)
	$(BIN)/pyright

layers: $(ENV)
	$(BIN)/lint-imports --no-logo

spelling: $(ENV)
	$(BIN)/codespell

links: $(ENV)
	$(BIN)/python tools/check_links.py

drift: $(ENV)
	set -e; for generator in $(GENERATORS); do $(BIN)/python $$generator --check; done

fmt: $(ENV) ## format the code and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

properties: $(ENV) ## look at PROPERTY_EXAMPLES examples of each property that an algorithm promises
	PROPERTY_EXAMPLES=$(PROPERTY_EXAMPLES) $(BIN)/pytest -m properties --numprocesses=auto --timeout=7200 tests/unit $(PYTEST_ARGS)

packing: $(ENV) ## compare what we place with the best that an exact solver finds
	$(BIN)/python -m tests.unit.scheduling.packing

predictions: $(ENV) ## compare predicted starts with what came, over replayed workloads (10 minutes)
	$(BIN)/python bench/predictions.py $(PREDICTIONS_ARGS)

sim: $(ENV) ## run the simulation over SIM_SEEDS seeds
	$(BIN)/python -m longshore.testing.simulation --seeds $(SIM_SEEDS)

sim-mutants: $(ENV) ## plant faults one at a time; the simulation must catch each within MUTANT_SEEDS seeds
	$(BIN)/python -m longshore.testing.simulation --mutants --seeds $(MUTANT_SEEDS)

bench: $(VENV)/.bench-installed ## measure beside the alternatives; writes bench/RESULTS.md
	$(BIN)/python bench/run.py $(BENCH_ARGS)

$(VENV)/.bench-installed: $(ENV) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

generate: $(ENV) ## write the generated files anew from the locked botocore
	set -e; for generator in $(GENERATORS); do $(BIN)/python $$generator; done

botocore-latest: $(ENV)
	rm -rf build/botocore-latest
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/botocore-latest botocore

conformance-latest: botocore-latest ## hold a live server to the service model of the newest botocore
	PYTHONPATH=build/botocore-latest $(BIN)/pytest tests/api/conformance $(PYTEST_ARGS)

fuzz: $(ENV) ## send a live server FUZZ_REQUESTS valid and as many damaged requests; shows its progress
	FUZZ_REQUESTS=$(FUZZ_REQUESTS) $(BIN)/pytest -s tests/api/conformance/test_any_requests.py $(PYTEST_ARGS)

coverage-mutants: $(ENV) ## drop each member that a test says it covers; the test must miss it
	$(BIN)/python -m tests.api.conformance.dropping

gaps: $(ENV) ## take out of the list of known gaps what was filled; adds nothing
	$(BIN)/pytest --quiet --prune-gaps tests/api/conformance/test_inputs.py tests/api/conformance/test_members.py \
		tests/api/conformance/test_paginators.py tests/api/conformance/test_answers.py || true

generate-latest: botocore-latest ## show what the newest botocore would change in the generated files; changes nothing
	for generator in $(GENERATORS); do PYTHONPATH=build/botocore-latest $(BIN)/python $$generator --check || true; done

docs: generate links ## write the generated pages anew and check the links of all

lock: $(ENV) ## resolve the dependencies anew; LOCK_ARGS="--upgrade" or "--upgrade-package NAME" moves pins
	$(UV_COMPILE) pyproject.toml -o requirements.lock
	$(UV_COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(UV_COMPILE) --group bench -c requirements-dev.lock -o requirements-bench.lock
	@! grep -nE '://|index-url|find-links' requirements*.lock || { echo "a lock names where packages came from" >&2; exit 1; }

changelog: $(ENV) ## fold the fragments of changelog.d into CHANGELOG.md for the present version
	$(BIN)/towncrier build --yes

clean: ## remove what the targets made, the environment included
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
