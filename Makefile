PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup run test soak lint check browser proxies wrk bench-runtime bench-oauth bench-neighbour bench-facts lock clean

help: ## say what each command does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## make .venv with the locked dependencies

run: setup ## start the platform with the example app (flags: ARGS="--once --json")
	@$(BIN)/sallyport demo $(ARGS)

test: $(VENV)/.ready-dev browser proxies wrk ## run every test and check
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: $(VENV)/.ready-dev ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(VENV)/.ready-dev ## random histories and races for long (HISTORIES=1000 ROUNDS=200)
	SALLYPORT_TEST_HISTORIES=$(or $(HISTORIES),1000) SALLYPORT_TEST_ROUNDS=$(or $(ROUNDS),200) \
	$(BIN)/python -m pytest tests/properties tests/attacks/test_races.py -q $(ARGS)

browser: ## the browser that the page tests drive (Debian's chromium)
	@scripts/ensure-chromium

proxies: ## nginx and Caddy, which the tests of examples/proxies start
	@scripts/ensure-proxies

wrk: ## the load of the benchmarks (Debian's wrk)
	@scripts/ensure-program wrk

bench: $(VENV)/.ready-dev wrk ## measure the gateway beside others (ARGS="--short")
	@scripts/ensure-program nginx
	$(BIN)/python -m bench.gateway $(ARGS)

bench-runtime: $(VENV)/.ready-dev ## measure the runtime beside others (ARGS="--short")
	$(BIN)/python -m bench.runtime $(ARGS)

bench-oauth: $(VENV)/.ready-dev wrk ## measure the token endpoint beside others (ARGS="--short")
	$(BIN)/python -m bench.oauth $(ARGS)

bench-neighbour: $(VENV)/.ready-dev ## measure what a site beyond its limit does to another
	$(BIN)/python -m bench.neighbour $(ARGS)

bench-facts: $(VENV)/.ready-dev ## measure a call among a million grants (ARGS="--short")
	$(BIN)/python -m bench.facts $(ARGS)

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --extra otel --group build --group dev -c requirements/run.txt -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group bench -c requirements/run.txt -o requirements/bench.txt

clean: ## forget the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sallyport needs Python 3.11 or later; this is %s. Set PYTHON=python3.x" % sys.version.split()[0])'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: $(VENV)/bin/python requirements/run.txt pyproject.toml
	@echo "installing the locked dependencies"
	@$(PIP) install --require-hashes --only-binary :all: -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements/dev.txt
	@echo "installing what the tests need"
	@$(PIP) install --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@
