# What a newcomer needs: `make demo`. What a change needs: `make check test`; of the page, also `make browser`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin

# Test processes side by side, each with a Kafka and a Postgres of its own.
WORKERS ?= 2
INSTALLED := $(VENV)/.installed

# A real delivery, where the checkout has one beside it: the demo sends it as well.
CAPTURED := $(wildcard ../shared/data/persona_inquiry_approved.json)

.PHONY: setup demo test browser check docs bench lock clean

setup: $(INSTALLED)

$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/inquiry-ledger demo $(CAPTURED:%=--delivery %)

test: setup
	$(BIN)/pytest -n $(WORKERS) --dist loadfile tests/unit tests/contract tests/integration

# The page in a real Chromium (Debian: apt-get install chromium). New pictures for the documentation: --screenshots.
browser: setup
	$(BIN)/pytest tests/browser

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/repo

# Write what the reference says from the code.
docs: setup
	$(BIN)/python -m tests.repo.reference

bench: setup
	for what in projector edge api wait; do $(BIN)/inquiry-ledger bench $$what || exit 1; done

# Bring the pinned versions up to date.
lock: setup
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --strip-extras --allow-unsafe --all-build-deps --extra dev --extra embedded \
	    --output-file requirements/dev.txt pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
