# The front door. `make demo` and `make test` do all set-up on a machine with Python 3.11+ and make.
PYTHON ?= python3
VERSIONS ?= 3.12 3.13
# More than there are cores: many tests wait, for a process or for a clock.
WORKERS ?= 4
BIN := .venv/bin
# Tests of processes and clocks share two cores with all others: what failed is run once more, alone.
ALONE := echo "again, alone: what failed"
export UV_COMPILE_BYTECODE = 1
export UV_LINK_MODE = copy
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test fast check versions lint types floors docs samples prices bench lock litellm focus clean

help:  ## say what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.boot/ok: requirements-boot.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Clearbar needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear .boot || { echo "The venv module is missing; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@.boot/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-boot.lock
	@touch $@

.venv/ok: .boot/ok requirements.lock pyproject.toml
	@.boot/bin/uv venv --quiet --clear --python .boot/bin/python .venv
	@.boot/bin/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@.boot/bin/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/ok requirements-dev.lock
	@.boot/bin/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	@.boot/bin/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/ok  ## a sample company: its scorecard, its verdicts, and a page to look at
	@rm -rf build/demo && $(BIN)/clearbar init --demo build/demo && $(BIN)/clearbar --workspace build/demo report build/demo/usage

test: .venv/dev  ## all tests, the fast ones first, with branch coverage of these
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not slow" -q -n $(WORKERS) || { $(ALONE) && $(BIN)/coverage run -m pytest -m "not slow" -q --last-failed --last-failed-no-failures none; }
	@$(BIN)/coverage combine -q && $(BIN)/coverage report
	@$(BIN)/python -m pytest -m slow -q -n $(WORKERS) || { $(ALONE) && $(BIN)/python -m pytest -m slow -q --last-failed --last-failed-no-failures none; }

fast: .venv/dev  ## the fast tests only
	@$(BIN)/pytest -m "not slow" -q

check: test lint types floors  ## all that CI runs; the tests check the docs too

versions: .venv/dev  ## the fast tests on the other Pythons that are installed here
	@for version in $(VERSIONS); do \
	  .boot/bin/uv venv --quiet --clear --no-python-downloads --python $$version .venvs/$$version 2>/dev/null \
	    || { echo "Python $$version is not installed here: not tested on it"; continue; }; \
	  .boot/bin/uv pip sync --quiet --python .venvs/$$version --require-hashes requirements-dev.lock \
	    && .boot/bin/uv pip install --quiet --python .venvs/$$version --no-deps --no-build-isolation --editable . \
	    && { HYPOTHESIS_PROFILE=few .venvs/$$version/bin/python -m pytest -m "not slow" -q -n $(WORKERS) -o cache_dir=.venvs/$$version/cache \
	      || { $(ALONE) && .venvs/$$version/bin/python -m pytest -m "not slow" -q -o cache_dir=.venvs/$$version/cache --last-failed --last-failed-no-failures none; }; } || exit 1; \
	done

lint: .venv/dev  ## style and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/dev  ## types, strictly
	@$(BIN)/mypy

floors: .venv/dev  ## the architecture, as written in .importlinter
	@$(BIN)/lint-imports

docs: .venv/dev  ## rewrite the generated reference pages; a difference is an error in CI
	@$(BIN)/python docs/generate.py

samples: .venv/dev  ## rewrite the expected half of the source samples; the diff is the review
	@$(BIN)/python tests/spend/sources/samples.py

prices: .venv/dev  ## rewrite the shipped price book, after `make lock` has moved the price library
	@rm -f src/clearbar/spend/price_book/*.parquet src/clearbar/spend/price_book/*.json
	@$(BIN)/python -c "from pathlib import Path; from clearbar.spend.prices.book import ship; ship(Path('src/clearbar/spend/price_book'))"

bench: .venv/dev  ## ratios against peers and limits; never absolute times
	@for b in ingest pricing scorecard trial_cases trial_search trial_cascades trials no_model budgets drift journal gateway; do $(BIN)/python benchmarks/$$b.py || exit 1; done

lock: .boot/ok  ## renew the locks: hashes, no addresses
	@.boot/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group build -o requirements.lock
	@.boot/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra spark --extra distil --extra encrypt --extra otel --extra postgres --group build --group dev -c requirements.lock -o requirements-dev.lock

.venv-litellm/ok: .boot/ok requirements-litellm.lock
	@.boot/bin/uv venv --quiet --clear --python .boot/bin/python .venv-litellm
	@.boot/bin/uv pip sync --quiet --python .venv-litellm/bin/python --require-hashes --only-binary :all: requirements-litellm.lock
	@touch $@

litellm: .venv-litellm/ok  ## LiteLLM in an environment of its own, for the tests of the plug-in

.venv-focus/ok: .boot/ok requirements-focus.lock
	@.boot/bin/uv venv --quiet --clear --python .boot/bin/python .venv-focus
	@.boot/bin/uv pip sync --quiet --python .venv-focus/bin/python --require-hashes --only-binary :all: --no-binary focus-validator --no-binary pandasql requirements-focus.lock
	@touch $@

focus: .venv-focus/ok  ## the official FOCUS validator, for the tests of exports

clean:  ## remove what the targets above have made
	@rm -rf .boot .venv .venv-litellm .venv-focus build .coverage* .mypy_cache .pytest_cache .ruff_cache
