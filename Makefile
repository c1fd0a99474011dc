PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# One more than there are processors, because a third of the time of a test is waiting; at most 5.
TESTERS = $(shell $(PYTHON) -c 'import os; print(min(5, 1 + os.cpu_count()))')

.DEFAULT_GOAL := help
.PHONY: help setup up demo test lint chaos failpoints mutants bench reference lock migrate gpu-check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## make .venv and install everything into it

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev --constraint requirements.lock
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

chaos: setup ## kill everything at random: make chaos KILLS=100 SEED=7
	$(BIN)/python -m tests.chaos --kills $(or $(KILLS),20) --seed $(or $(SEED),1) $(ARGS)

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

# A local version (torch 2.13.0+cpu) or a direct address would tie the lock to one machine.
lock: setup ## write requirements.lock from what .venv holds
	$(BIN)/python -m pip freeze --exclude-editable --exclude athanor > .venv/frozen
	sed -E '/ @ /d; s/\+[A-Za-z0-9.]+$$//' .venv/frozen > requirements.lock
	@touch $(READY)

clean: ## remove .venv, caches and builds; data folders stay
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
