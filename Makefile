# make book       the site, in _build/html
# make test       every test, and every notebook cell run again and compared
# make notebooks  run the notebooks in place
# make lab        JupyterLab on the chapters
# make lint       ruff and mypy
# make clean      remove what was built
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
NOTEBOOKS := $(wildcard book/*.ipynb)

.PHONY: book test notebooks lab lint clean
.DEFAULT_GOAL := book

# Everything is rebuilt: a warning of an unchanged page must fail again.
book: $(INSTALLED)
	$(BIN)/jupyter-book build --all -W -n --keep-going .

# Apart from the notebooks: with --cov, nbval waits for coverage in each kernel.
test: $(INSTALLED)
	$(BIN)/python -m pytest --nbval --nbval-current-env $(NOTEBOOKS)
	$(BIN)/python -m pytest --cov

notebooks: $(INSTALLED)
	$(BIN)/python tools/notebooks.py $(NOTEBOOKS)

lab: $(INSTALLED)
	$(BIN)/jupyter lab book

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf _build .pytest_cache .hypothesis .mypy_cache .ruff_cache .coverage

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
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@
