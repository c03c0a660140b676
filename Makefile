# Denoise Lab, one command per job; `make` alone lists them.
# Kept to GNU make 3.81 and a POSIX shell, which is what a bare machine has.

# Settings: `make run PORT=8600`, `make venv PYTHON=/opt/python/bin/python3`,
# `make test TESTS=tests/imaging`, `make bench ARGS=--write`.
PORT ?= 8501
PYTHON ?=
TESTS ?=
ARGS ?=

# On two cores four processes, since browser and job tests wait for much of their time, and three
# for the quick tests; one process a file, in the order of tests/conftest.py.
TOGETHER := -n 4 --dist loadfile --no-loadscope-reorder
QUICKLY := -n 3 --dist loadfile --no-loadscope-reorder

# What loads Keras, opens whole pages or starts a process for each test takes minutes: `make test`.
QUICK := --quick --ignore-glob "tests/train/*/*" --ignore tests/train/test_brought.py \
	-m "not slow and not browser"
QUICK_TESTS := tests/imaging tests/models tests/train tests/test_theme.py

VENV := .venv
PY := $(VENV)/bin/python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
HAS_TENSORFLOW := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

# A .venv whose Python was moved or removed is made again, not stumbled over.
VENV_WORKS := $(shell $(PY) -c '$(NEW_ENOUGH)' 2>/dev/null && echo yes)

# Where images set it, each of the tests' hundreds of processes would compile our code anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv run dev check test format bench licences clean chromium FORCE

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

venv: $(VENV)/.stamp-app  ## make .venv with the pinned requirements

run: $(VENV)/.stamp-app  ## open the app on port 8501 (PORT=... for another)
	@exec $(PY) -m streamlit run app.py --server.port $(PORT)

dev: $(VENV)/.stamp-app  ## the same for who changes the code: each change is seen at once
	@exec $(PY) -m streamlit run app.py --server.port $(PORT) --server.fileWatcherType auto

check: $(VENV)/.stamp-dev  ## lint, types and the quick tests, in a minute
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest $(QUICKLY) -q $(QUICK) $(or $(TESTS),$(QUICK_TESTS))

test: $(VENV)/.stamp-dev chromium  ## lint, format check and every test (TESTS=... for some)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest $(TOGETHER) --durations 10 $(TESTS)

format: $(VENV)/.stamp-dev  ## put the code in its one format, mend what ruff can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(VENV)/.stamp-dev chromium  ## measure speed and memory (ARGS=--write: into docs/)
	$(PY) -m tests.benchmarks $(ARGS)

licences: $(VENV)/.stamp-dev  ## list all that is installed for the app, with its licence
	@$(PY) -m tests.licences

clean:  ## remove caches and test leftovers; keeps .venv and train/runs
	rm -rf .pytest_cache .ruff_cache .hypothesis tests/browser/artifacts
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/.stamp-app: requirements.txt $(VENV)/.stamp-python
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.txt requirements-jax.txt requirements.txt $(VENV)/.stamp-python
	$(PY) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.stamp-app

ifneq ($(VENV_WORKS),yes)
$(VENV)/.stamp-python: FORCE
endif

# Debian splits `venv` off its Python. Without it: pip lent by that Python, then virtualenv,
# then (as root) the missing Debian package, then a sentence that says what to install.
$(VENV)/.stamp-python:
	@if $(PY) -c '$(NEW_ENOUGH)' 2>/dev/null && $(PY) -m pip --version >/dev/null 2>&1; then \
	  touch $@; exit 0; \
	fi; \
	python=; \
	for wanted in '$(HAS_TENSORFLOW)' '$(NEW_ENOUGH)'; do \
	  for name in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	    if [ -z "$$python" ] && "$$name" -c "$$wanted" 2>/dev/null; then python=$$name; fi; \
	  done; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'Python 3.11 or newer is needed, and none was found; try: make venv PYTHON=/path/to/python3' >&2; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version) ($$(command -v "$$python"))"; \
	if ! "$$python" -c '$(HAS_TENSORFLOW)'; then \
	  echo 'There is no TensorFlow for this Python yet: the app will run, training will not.'; \
	fi; \
	pipless() { "$$python" -m venv --clear --without-pip $(VENV) >/dev/null 2>&1; }; \
	lend_pip() { "$$python" -m pip --python $(PY) install pip >/dev/null 2>&1; }; \
	debian_venv() { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1; \
	  package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  echo "Installing the Debian package $$package"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$$package"; \
	}; \
	if "$$python" -c 'import ensurepip' 2>/dev/null; then "$$python" -m venv --clear $(VENV); \
	elif pipless && lend_pip; then :; \
	elif "$$python" -m virtualenv --clear -q $(VENV) 2>/dev/null; then :; \
	elif debian_venv; then "$$python" -m venv --clear $(VENV); \
	else \
	  rm -rf $(VENV); \
	  echo "$$python cannot make a virtual environment; install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; \
	  exit 1; \
	fi && touch $@

# The browser tests need a Chromium: one that is there, else Debian's, else Playwright's own.
# The one without windows is a third quicker: where Debian has it, that is tried once.
chromium: $(VENV)/.stamp-dev
	@if [ ! -e $(VENV)/.stamp-shell ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  touch $(VENV)/.stamp-shell; \
	  echo 'Installing the Debian package chromium-headless-shell'; \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell; \
	fi; \
	$(PY) -m tests.chromium >/dev/null 2>&1 && exit 0; \
	as_root=; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  as_root=--with-deps; \
	  echo 'Installing the Debian package chromium'; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	  $(PY) -m tests.chromium >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "Installing Playwright's Chromium"; \
	$(PY) -m playwright install $$as_root chromium; \
	$(PY) -m tests.chromium >/dev/null 2>&1 && exit 0; \
	echo 'The browser tests need a Chromium and none could be installed; put chromium or google-chrome on the PATH' >&2; \
	exit 1
