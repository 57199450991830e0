# Everything is set up by the command that needs it: nothing but Python is expected.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
export PYTHONUTF8 = 1

.DELETE_ON_ERROR:
.PHONY: help env demo test lab bench docs readme clean
help: ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

env: $(VENV)/installed-dev ## an environment in .venv with everything to work on sdaudio

demo: $(if $(wildcard $(VENV)/installed-dev),env,$(VENV)/installed) ## a demo corpus, two minutes of training, takes, pictures, one page to listen to
	$(BIN)/sdaudio demo --minutes 2

test: env ## every notebook, the documentation build, every test
	$(PY) tools/lessons.py
	$(PY) tools/preview.py --strict
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(PY) -m pytest -n 2 --dist loadfile

lab: env ## JupyterLab on the first tutorial
	$(BIN)/jupyter lab nbs/tutorials/first_sound.ipynb

bench: env ## the figures of benchmarks/RESULTS.md, measured again
	$(PY) benchmarks/run.py $(CORPORA)

docs: env ## the pages, executed, in _docs
	$(PY) tools/lessons.py
	$(PY) tools/preview.py
	@echo "open _docs/index.html"

readme: env ## README.md from nbs/index.ipynb
	$(PY) tools/readme.py

clean: ## remove what was made, but not .venv
	rm -rf build dist _proc _docs _site demo-output* .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# Two stamps: the demo needs no development tools, and what has those has everything.
$(VENV)/installed: settings.ini setup.py | $(PY)
	@echo "Installing sdaudio into $(VENV): a few minutes, once."
	$(PY) -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: settings.ini setup.py | $(PY)
	@echo "Installing sdaudio and its development tools into $(VENV): a few minutes, once."
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/installed

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo \
	  "sdaudio needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is not one of them. Install one, or name it: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	  "'$(PYTHON)' cannot make environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
