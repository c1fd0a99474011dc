PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
SHIPPED := athanor api models worker migrations benchmarks supply
LOCKS := requirements.lock requirements-dev.lock
# Two more than there are processors, because half of the time of a test is waiting; at most 6.
TESTERS = $(shell $(PYTHON) -c 'import os; print(min(6, 2 + os.cpu_count()))')

.DEFAULT_GOAL := help
.PHONY: help setup up demo test lint chaos fuzz hostile failpoints mutants bench reference lock pin audit migrate gpu-check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## make .venv and install everything into it

# Everything in the locks is installed by its digests. pip is first: the version that comes with Python can need half as
# much time again. Then come torch, and what only some of its builds need, by their versions. The constraint keeps them
# from changing anything of the locks.
$(READY): pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	sed -n '/^pip==/,/# via/p' requirements.lock > .venv/pip.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement .venv/pip.lock
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps $(LOCKS:%=--requirement %)
	sed -n 's/ *\\$$//; /==/p' $(LOCKS) > .venv/versions
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable . --group dev --constraint .venv/versions
	@touch $@

up: setup ## start the service here: make up ARGS="--port 8500"
	$(BIN)/athanor up $(ARGS)

demo: setup ## train on real data from an empty start, and show it
	$(BIN)/python -m athanor.demo

test: setup ## the whole suite
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile $(ARGS)

lint: setup ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(SHIPPED)

chaos: setup ## kill everything at random: make chaos KILLS=100 SEED=7
	$(BIN)/python -m tests.chaos --kills $(or $(KILLS),20) --seed $(or $(SEED),1) $(ARGS)

fuzz: setup ## right and wrong requests to a real service: make fuzz EXAMPLES=20000 SEED=7
	$(BIN)/python -m tests.fuzz --examples $(or $(EXAMPLES),2000) --seed $(or $(SEED),1) $(ARGS)

hostile: setup ## send a corpus of hostile requests and files to a service: make hostile ARGS=upload
	$(BIN)/python -m tests.hostile $(ARGS)

failpoints: setup ## kill at every named crash point, and the drills
	$(BIN)/python -m pytest -m proof tests/chaos $(ARGS)

mutants: setup ## break the rules on purpose, one by one: each must be caught
	$(BIN)/python -m tests.chaos.mutants $(ARGS)

bench: setup ## measure
	$(BIN)/python -m benchmarks $(ARGS)

reference: setup ## write docs/reference.md from the schemas of the parts
	$(BIN)/python -m api.reference

gpu-check: setup ## the checks that need a CUDA device
	$(BIN)/python -m benchmarks.gpu_check $(ARGS)

migrate: setup ## bring ATHANOR_DATABASE_URL to the newest schema
	$(BIN)/alembic upgrade head

# Not after setup, which installs the old locks: these may contradict what pyproject.toml now asks for.
lock: | $(BIN)/uv ## write both locks from pyproject.toml: make lock ARGS=--upgrade
	$(BIN)/python -m supply.lock $(ARGS)

$(BIN)/uv:
	$(MAKE) setup

pin: setup ## write the digests of the base images: make pin REGISTRY=https://HOST
	$(BIN)/python -m supply.pin $(REGISTRY)

audit: setup ## look up known vulnerabilities of what is installed
	$(BIN)/python -m supply.audit

clean: ## remove .venv, caches and builds; data folders stay
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
