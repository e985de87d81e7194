# Each target works as the first command on a machine with Python 3.11 or later and a package index: it makes the
# environment it needs in .venv, once. PYTHON=python3.12 make test chooses the interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate
# What the image has: everything but what is for laptops. The Dockerfile installs requirements/image.txt.
IMAGE_EXTRAS := openai anthropic qdrant-client mcp cli worker operator

.DEFAULT_GOAL := help

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## Watch a team of agents take an order while a worker is killed
	@$(BIN)/python -m examples.pizza.demo

test: check ## All checks and all tests
	$(BIN)/python -m pytest

test-fast: $(VENV)/.dev ## The tests that kill nothing
	$(BIN)/python -m pytest -m "not durability"

check: $(VENV)/.dev ## Lint, types, layers, lock file, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m dev.check_lock
	$(BIN)/python -m dev.generate --check

chart: $(VENV)/.dev ## Lint the Helm chart and check what it makes, for each Kubernetes version
	$(BIN)/python -m dev.generate --check
	$(BIN)/python -m dev.helm

image: $(VENV)/.dev ## Build the container image, with docker or buildah
	$(BIN)/python -m dev.image

generate: $(VENV)/.dev ## Write the CRDs, the reference of the manifests' fields, and the chart's schema and README
	$(BIN)/python -m dev.generate

bench: $(VENV)/.dev ## Measure, beside a bare Temporal workflow that makes the same calls
	$(BIN)/python -m bench

bench-operator: $(VENV)/.dev ## Measure the operator with 1,000 Agents and 100 Schedules
	@$(BIN)/python -m bench.operator

format: $(VENV)/.dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

histories: $(VENV)/.dev ## Record the histories that the replay tests replay
	$(BIN)/python -m tests.record_histories

lock: $(VENV)/.dev ## Pin the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade --extra all --group test -o requirements/dev.txt pyproject.toml
	$(COMPILE) --upgrade --extra openai --extra anthropic --extra dev -c requirements/dev.txt -o requirements/demo.txt pyproject.toml
	$(COMPILE) --upgrade $(foreach extra,$(IMAGE_EXTRAS),--extra $(extra)) -c requirements/dev.txt -o requirements/image.txt pyproject.toml
	echo uv | $(COMPILE) --upgrade -c requirements/dev.txt -o requirements/uv.txt -

clean: ## Remove the environment and everything that was made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: $(PYTHON) is missing or older than Python 3.11; name another one: PYTHON=python3.12 make" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) cannot make virtual environments (on Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# The demonstration needs little; what the tests need on top comes when it is needed.
$(VENV)/.demo: $(VENV)/.python requirements/demo.txt pyproject.toml
	@if [ ! -e $(VENV)/.dev ]; then $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/demo.txt && \
	  $(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .; fi
	@touch $@

$(VENV)/.dev: $(VENV)/.python requirements/dev.txt pyproject.toml
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

.PHONY: help demo test test-fast check chart image generate bench bench-operator format histories lock clean
