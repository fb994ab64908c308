# crmhub: two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test bench lint sbom setup clean

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "crmhub needs Python 3.11 or newer / 需要 Python 3.11 或更新版本")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $(READY)

setup: $(READY)

demo: $(READY)
	$(BIN)/crmhub demo $(DEMO_ARGS)

# Hundreds of processes are started: compiled files must be kept, whatever the environment says.
test: $(READY)
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist loadscope --no-loadscope-reorder $(TEST_ARGS)

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive hub connectors

sbom: $(READY)
	$(BIN)/python -m tests.sbom > sbom.json

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
