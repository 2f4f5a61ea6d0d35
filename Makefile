# The front door. `make demo` and `make test` do all set-up on a machine with Python 3.11+ and make.
PYTHON ?= python3
VERSIONS ?= 3.12 3.13
# More than there are cores: many tests wait, for a process or for a clock. A file stays with one
# of them, so that what its tests share (a storm, a company, fifty kills) is made once.
WORKERS ?= 4
SPREAD = -n $(WORKERS) --dist loadfile
# Laws are tried on a hundred inputs each; the measuring of coverage would make that half as dear again.
BY_EXAMPLE := not slow and not hypothesis
SLOW_OR_LAWS := slow or hypothesis
# What `make versions` leaves out, in the words of pytest: nothing, but in CI (.ci/run).
LEAVE_OUT ?=
BIN := .venv/bin
# Tests of processes and clocks share two cores with all others: what failed is run once more, alone.
ALONE := echo "again, alone: what failed"
export UV_COMPILE_BYTECODE = 1
export UV_LINK_MODE = copy
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test fast check versions collected soak lint types floors docs samples prices bench lock litellm focus clean

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

test: .venv/dev  ## all tests: the fast ones by example, with branch coverage; then laws and slow ones
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "$(BY_EXAMPLE)" -q $(SPREAD) || { $(ALONE) && $(BIN)/coverage run -m pytest -m "$(BY_EXAMPLE)" -q --last-failed --last-failed-no-failures none; }
	@$(BIN)/coverage combine -q && $(BIN)/coverage report
	@$(BIN)/python -m pytest -m "$(SLOW_OR_LAWS)" -q $(SPREAD) || { $(ALONE) && $(BIN)/python -m pytest -m "$(SLOW_OR_LAWS)" -q --last-failed --last-failed-no-failures none; }

fast: .venv/dev  ## the fast tests only
	@$(BIN)/python -m pytest -m "not slow" -q $(SPREAD)

check: test lint types floors  ## all that has to be green; the tests check the docs too

versions: .venv/dev  ## the fast tests on the other Pythons that are installed here
	@for version in $(VERSIONS); do \
	  .boot/bin/uv venv --quiet --clear --no-python-downloads --python $$version .venvs/$$version 2>/dev/null \
	    || { echo "Python $$version is not installed here: not tested on it"; continue; }; \
	  .boot/bin/uv pip sync --quiet --python .venvs/$$version --require-hashes requirements-dev.lock \
	    && .boot/bin/uv pip install --quiet --python .venvs/$$version --no-deps --no-build-isolation --editable . || exit 1; \
	  pytest=".venvs/$$version/bin/python -m pytest -q -o cache_dir=.venvs/$$version/cache $(LEAVE_OUT)"; \
	  HYPOTHESIS_PROFILE=few $$pytest -m "not slow" $(SPREAD) \
	    || { $(ALONE) && $$pytest -m "not slow" --last-failed --last-failed-no-failures none; } || exit 1; \
	done

# Compiles all tests once; workers that start without it each compile them all.
collected: .venv/dev
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null

soak: .venv/dev  ## what the tests do in small, for hours: kills, storms, bad files
	@for show in "spend.test_crash 200" "trial.test_trial_crash 100" "route.journal.test_journal_crash 100" \
	  "route.budgets.storm 100" "route.serving.storm 100000" "spend.sources.fuzz 500000"; do \
	  echo "tests.$$show" && $(BIN)/python -m tests.$$show || exit 1; \
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
