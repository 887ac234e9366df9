# `make check` while one works, `make test` before one hands over, `make compare` to see what it does. Each sets up .venv
# from constraints.txt first, once.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-from-constraints
DOCS_STAMP := $(VENV)/.installed-for-docs
# The interpreter may be called python3 only.
PYTHON := $(shell command -v $(PYTHON) || command -v python3)

# Modules are compiled when they are first imported: most of them never are.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check
# pip works on one core, and unpacks in Python: uv takes a seventh of its time. So uv, which pip fetches from the same index,
# first installs what constraints.txt lists, and asks for nothing else. Beside it pip fetches torch: it knows from its own
# configuration where the build for this machine lies. The last pip decides: it installs what is missing (all, if uv cannot
# be had), and says what is wrong.
HEAD_STARTS := head-start-torch head-start-others
UV_ASKS = UV_DEFAULT_INDEX="$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index_url 2>/dev/null)}"

COMPARED_WITH := nas_fusion.cli, nas_fusion.studies, nas_fusion.report, nas_fusion.optfusion, nas_fusion.baselines, \
	alembic.context, jinja2, plotly.graph_objects, sqlalchemy.orm
COMPILE := $(BIN)/python -W ignore -c "import $(COMPARED_WITH)"

.PHONY: $(HEAD_STARTS) compare check test lint types fast-tests all-tests bench fuxictr docs format setup clean

# Compiled files are kept, whatever the environment says: without them each of the tests' many processes compiles the
# package, and each worker every test, anew.
export PYTHONDONTWRITEBYTECODE :=

# Two processes more than there are cores (ten at most), since tests wait for servers, browsers and processes, too: three on
# two cores left a fifth of them idle. Each has one thread: two with two threads each take many times as long as soon as a
# core is busy. A file stays in one process, which makes its studies once.
PROCESSES := $(shell getconf _NPROCESSORS_ONLN | awk '{print ($$1 < 8 ? $$1 : 8) + 2}')
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder
# The types, in one process, are checked beside the tests.
SIDE_BY_SIDE := $(MAKE) --no-print-directory --jobs 2

setup: $(STAMP)

$(STAMP): constraints.txt pyproject.toml
	@echo "setting up $(VENV) from constraints.txt (a minute or two, once)"
	$(PYTHON) -m venv $(VENV)
	-@$(MAKE) --no-print-directory --jobs 2 --keep-going $(HEAD_STARTS)
	@# NNI writes a file into its own package when it is first imported; do that before anything runs in parallel. All that
	@# a comparison imports is compiled here, too, and not by several processes at once: beside the last pip, which takes as
	@# long, if the head starts have left it nothing to do.
	@$(COMPILE) 2>/dev/null & compiled=$$!; \
		$(PIP) --constraint constraints.txt --editable '.[dev]' && { wait $$compiled || $(COMPILE); }
	@touch $(STAMP)

head-start-torch:
	@grep '^torch==' constraints.txt > $(VENV)/torch.txt
	@$(PIP) --no-deps --requirement $(VENV)/torch.txt

head-start-others:
	@grep -v '^torch==' constraints.txt > $(VENV)/others.txt
	@$(PIP) --constraint constraints.txt uv
	@$(UV_ASKS) $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --requirement $(VENV)/others.txt

compare: $(STAMP)
	$(BIN)/nasfusion compare --strategies all --processes 0

# While one works: all but the slow tests.
check: lint
	$(SIDE_BY_SIDE) types fast-tests

# Everything, as CI does.
test: lint
	$(SIDE_BY_SIDE) types all-tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

fast-tests: $(STAMP)
	$(PYTEST) -m "not slow" --quiet

all-tests: $(STAMP)
	$(PYTEST)

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# FuxiCTR's own environment, for `python -m benchmarks fuxictr`.
fuxictr: $(STAMP)
	$(BIN)/python -m benchmarks.peers.fuxictr_environment

docs: $(STAMP) $(DOCS_STAMP)
	$(BIN)/python docs/site_pages.py build/site
	$(BIN)/zensical build --strict --config-file build/site/mkdocs.yml
	@echo "open build/site/html/index.html"

$(DOCS_STAMP): $(STAMP)
	$(PIP) --constraint constraints.txt --editable '.[docs]'
	@touch $(DOCS_STAMP)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-fuxictr build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
