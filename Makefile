# Everything a newcomer needs: Python 3.11+, git and make. `make help` lists the commands.
PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
STAMP  := $(VENV)/installed

help:     ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: $(STAMP)  ## learn views on built-in photographs, pretrain on them, compare with raw views
	$(RUN) scripts/report.py experiment=demo

test: $(STAMP)  ## every test
	$(RUN) -m pytest -q

quick: $(STAMP)  ## the fast tests, under three minutes
	$(RUN) -m pytest -q -m "not slow"

check: $(STAMP)  ## format, lint, types, tests
	$(RUN) -m ruff format .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q

bench: $(STAMP)  ## speed against named rivals, on an idle machine
	$(VENV)/bin/uv pip install --quiet --python $(RUN) -c constraints.txt -e '.[bench]'
	$(RUN) benchmarks/run.py

$(STAMP): pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(RUN) -c constraints.txt -e '.[dev]'
	touch $(STAMP)

.PHONY: help demo test quick check bench
