# make setup | demo | test | bench | profile | lint | schema. Every target makes .venv first when it is missing or out of date.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
WORKERS ?= auto

.PHONY: setup demo test lint bench profile schema clean
.DEFAULT_GOAL := setup

setup: $(STAMP)

# A new environment only when what goes into it has changed; the package itself is installed editable.
$(STAMP): pyproject.toml .ci/constraints.txt .ci/python
	@python=$$(sh .ci/python) || exit 1; \
	echo "making $(VENV) with $$python"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[semantic]' --group dev
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/omniroute demo

lint: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo

test: lint
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --ignore tests/benchmarks

bench: $(STAMP)
	@$(BIN)/python -m tests.benchmarks

profile: $(STAMP)
	@$(BIN)/python -m tests.benchmarks --profile

schema: $(STAMP)
	@$(BIN)/omniroute check --schema > config/.schema && mv config/.schema config/omniroute.schema.json

clean:
	@rm -rf $(VENV) .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
