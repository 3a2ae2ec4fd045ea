# Everything a newcomer needs: Python 3.11+, git and make. `make help` lists the commands.
PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
STAMP  := $(VENV)/installed
# a process a core, files of tests by turns; networks this small use one thread best
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist loadfile

help:     ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: $(STAMP)  ## learn views on built-in photographs, pretrain on them, compare with raw views
	$(RUN) scripts/report.py experiment=demo

test: $(STAMP)  ## every test
	$(PYTEST)

quick: $(STAMP)  ## the fast tests
	$(PYTEST) -m "not slow"

check: $(STAMP)  ## format, lint, types, tests
	$(RUN) -m ruff format .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(PYTEST)

bench: $(STAMP)  ## speed against named rivals, on an idle machine
	$(VENV)/bin/uv pip install --quiet --python $(RUN) -c constraints.txt -e '.[bench]'
	$(RUN) benchmarks/run.py

$(STAMP): pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(RUN) -c constraints.txt -e '.[dev]'
	touch $(STAMP)

.PHONY: help demo test quick check bench
