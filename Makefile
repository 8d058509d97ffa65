# make book       the site, in _build/html
# make preview    the site while it is written: what is saved is built and shown
# make check      lint, and the tests of what has changed
# make test       every test, and every notebook cell run again and compared
# make peers      the tests beside PyTorch, JAX, SciPy, scikit-learn; the chapter on JAX
# make site-test  the site as it is deployed, tested in Chromium
# make notebooks  run the notebooks in place
# make jax-notebook  run the one that needs JAX in place
# make bench      speed and accuracy, beside what a user would pick instead
# make pdf        the book as one PDF, on a machine with Chromium
# make lab        JupyterLab on the chapters
# make lint       ruff, mypy, and ESLint for the JavaScript
# make pins       compile the pinned environments, requirements*.txt, from what is asked
# make release-check  build the archive and the wheel, and check all that a release needs
# make jupyter-book-2  count what stands between the book and Jupyter Book 2
# make clean      remove what was built
# make help       print these lines
#
# Each makes .venv if it is missing. Another Python: make PYTHON=python3.12 book

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
INSTALLED := $(VENV)/.installed
SITE_INSTALLED := $(VENV)/.site-installed
BUILD := $(BIN)/jupyter-book build --all -W -n --keep-going
PEERS := .cache/peers
RELEASE := .cache/release
# Made from the pages, so gone when they are built anew.
PDF := softmax-gradients.pdf
# JAX is installed with the peers only.
WITH_JAX := book/several-devices.ipynb
NOTEBOOKS := $(filter-out $(WITH_JAX),$(wildcard book/*.ipynb))
# What the site is made of. Folders too: a file may be gone. The last tells of commits,
# which each page names.
BUILT := _build/.built
MADE_OF := _config.yml _toc.yml pyproject.toml README.md LICENSE \
	$(shell find book sources src -mindepth 1 -not -path '*/_generated*' \
	-not -path '*/__pycache__*' -not -path '*.egg-info*') \
	$(wildcard .git/logs/HEAD)

.PHONY: book preview check test peers site-test notebooks jax-notebook bench pdf lab \
	lint pins release-check jupyter-book-2 clean help
.DEFAULT_GOAL := book

# Everything is rebuilt: a warning of an unchanged page must fail again. If nothing has
# changed since it was built without one, there is nothing to do.
book: $(BUILT)

$(BUILT): $(INSTALLED) $(MADE_OF)
	rm -f _build/html/$(PDF)
	$(BUILD) .
	@touch $@

preview: $(INSTALLED)
	$(BIN)/python tools/preview.py $(PORT)

# Against the commit at which this branch left origin/main: make check SINCE=HEAD~3
check: lint
	$(BIN)/python tools/changed.py $(SINCE)

# Apart from the notebooks: with --cov, nbval waits for coverage in each kernel. The
# cells of a notebook stay together.
test: $(INSTALLED)
	@echo "$(WITH_JAX) needs JAX: make peers compares it."
	$(BIN)/python -m pytest -n 2 --dist loadscope --nbval --nbval-current-env $(NOTEBOOKS)
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov

# In an environment of its own: the peers are large. No test at all is a failure too.
peers: $(PEERS)/.installed
	$(PEERS)/$(notdir $(BIN))/python -m pytest -m peers
	$(PEERS)/$(notdir $(BIN))/python -m pytest --nbval --nbval-current-env $(WITH_JAX)

# Built apart, with an address and a repository, as pages.yml has them.
site-test: export BOOK_BASE_URL = https://example.org/softmax-gradients/
site-test: export GITHUB_REPOSITORY = example/softmax-gradients
site-test: $(SITE_INSTALLED)
	rm -f _build/deployed/_build/html/$(PDF)
	$(BUILD) --path-output _build/deployed .
	$(BIN)/python -m pytest tests/site -n 2 --dist worksteal

notebooks: $(INSTALLED)
	$(BIN)/python tools/notebooks.py $(NOTEBOOKS)
	@echo "$(WITH_JAX) needs JAX: make jax-notebook runs it."

# In the environment that has JAX.
jax-notebook: $(PEERS)/.installed
	$(PEERS)/$(notdir $(BIN))/python tools/notebooks.py $(WITH_JAX)

# In an environment of its own: the peers are large.
bench:
	$(PYTHON) -m venv .cache/bench
	.cache/bench/bin/python -m pip install -qq -r benchmarks/requirements.txt -e .
	.cache/bench/bin/python benchmarks/run.py $(FLAGS)

pdf: book
	$(BIN)/python tools/book_pdf.py

lab: $(INSTALLED)
	$(BIN)/jupyter lab book

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/lint_javascript.py
	$(BIN)/python -m pip check

# Compiled for all systems, and a version that is pinned stays; to raise one, name it in
# UPGRADE, as in: make pins UPGRADE="--upgrade-package certifi", or: UPGRADE=--upgrade
# What is installed beside requirements.txt has its versions. The peers are listed as for
# a machine without CUDA, whose libraries PyTorch brings itself on Linux.
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --annotation-style line
PINNED := .cache/pinned.txt
WITHOUT_CUDA := --python-platform aarch64-apple-darwin
pins: $(INSTALLED)
	$(COMPILE) --universal requirements.in -o requirements.txt $(UPGRADE)
	@mkdir -p $(dir $(PINNED)) && grep -v '^-e' requirements.txt > $(PINNED)
	$(COMPILE) --universal -c $(PINNED) requirements-site.in -o requirements-site.txt $(UPGRADE)
	MACOSX_DEPLOYMENT_TARGET=14.0 $(COMPILE) $(WITHOUT_CUDA) -c $(PINNED) \
		requirements-peers.in -o requirements-peers.txt $(UPGRADE)
	$(COMPILE) --universal requirements-release.in -o requirements-release.txt $(UPGRADE)

# For the tag of a release: make release-check TAG=v0.1.0
release-check: $(RELEASE)/.installed
	$(RELEASE)/$(notdir $(BIN))/python tools/release.py $(TAG)

# With FLAGS=--html it fetches its theme, and builds the site.
JUPYTER_BOOK_2 := .cache/jupyter-book-2
jupyter-book-2: $(INSTALLED)
	$(PYTHON) -m venv $(JUPYTER_BOOK_2)
	$(JUPYTER_BOOK_2)/$(notdir $(BIN))/python -m pip install -qq jupyter-book==2.1.7
	$(BIN)/python tools/jupyter_book_2.py $(JUPYTER_BOOK_2)/$(notdir $(BIN))/jupyter-book $(FLAGS)

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

clean:
	rm -rf _build .cache/.unfinished-* .pytest_cache .hypothesis .mypy_cache .ruff_cache .coverage

# pip warns once for each find-links entry of its configuration: show errors only.
$(INSTALLED): requirements.txt pyproject.toml
	@command -v $(PYTHON) > /dev/null || { \
		echo "There is no $(PYTHON) here: install Python 3.11 or later, or name" \
			"one, as in: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed; $(PYTHON) is" \
			"`$(PYTHON) -V 2>&1`. Name another one, as in:" \
			"make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile -r requirements.txt
	@touch $@

# A workflow says in PEERS_FLAGS where PyTorch without CUDA is.
$(PEERS)/.installed: $(INSTALLED) requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/$(notdir $(BIN))/python -m pip install -qq --disable-pip-version-check --no-compile $(PEERS_FLAGS) -r requirements.txt -r requirements-peers.txt
	@touch $@

$(SITE_INSTALLED): $(INSTALLED) requirements-site.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-site.txt
	@touch $@

$(RELEASE)/.installed: $(INSTALLED) requirements-release.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/$(notdir $(BIN))/python -m pip install -qq --disable-pip-version-check -r requirements-release.txt
	@touch $@
