# Each target makes its own virtual environment if absent: no other command is needed.
PYTHON ?= python3
VENV ?= .venv
RUNS ?= runs
BIN := $(VENV)/bin
# One trial must not take both cores from the other: threads are set on purpose.
export OMP_NUM_THREADS ?= 1

PLUGINS := $(patsubst plugins/%/pyproject.toml,plugins/%,$(wildcard plugins/*/pyproject.toml))
# Libraries register nothing; plugins may share them.
LIBRARIES := $(patsubst libraries/%/pyproject.toml,libraries/%,$(wildcard libraries/*/pyproject.toml))
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml libraries/*/pyproject.toml) constraints.txt
PACKAGES := xpot_core $(foreach project,$(LIBRARIES) $(PLUGINS),$(project)/$(subst -,_,$(notdir $(project))))
# FitSNAP's own requirements pull several GB of torch, which it does not need: see docs/install.md.
FITSNAP := fitsnap3==3.1.0.4

.PHONY: demo test test-all test-mace mace-torch lint types docs gallery notebook wheels bench-quick clean

$(VENV)/.demo: $(PROJECTS)
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'Python 3.11 or newer is needed: make PYTHON=python3.11'"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[report,live]" \
	    $(LIBRARIES:%=--editable %) --editable plugins/xpot-snap --editable plugins/xpot-skopt
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[report,live,test,docs,dev]" \
	    $(patsubst %,--editable %,$(LIBRARIES) $(PLUGINS))
	$(BIN)/python -m pip install --quiet --constraint constraints.txt setuptools psutil pandas tabulate phonopy optuna-dashboard \
	    dask-jobqueue cryptography
	$(BIN)/python -m pip install --quiet --no-deps $(FITSNAP)
	touch $@

demo: $(VENV)/.demo  ## search a qSNAP potential on the shipped DFT data; results in runs/silicon-qsnap
	$(BIN)/xpot run examples/silicon/study.yaml --runs $(RUNS)
	$(BIN)/xpot report silicon-qsnap --runs $(RUNS) --figures $(RUNS)/silicon-qsnap/figures
	rm -rf $(RUNS)/silicon-qsnap/export
	$(BIN)/xpot export silicon-qsnap --runs $(RUNS) --to $(RUNS)/silicon-qsnap/export
	cd $(RUNS)/silicon-qsnap/export && $(abspath $(BIN))/lmp -in in.lammps > lammps.out \
	    && grep -A 6 "   Step" lammps.out && $(abspath $(BIN))/python ase_calculator.py
	$(BIN)/xpot show silicon-qsnap --runs $(RUNS) --top 3
	@echo "potential: $(RUNS)/silicon-qsnap/export   report: $(RUNS)/silicon-qsnap/report.html"

test: $(VENV)/.test  ## tests that take less than a few seconds each
	$(BIN)/python -m pytest -m "not slow" -n 2

test-all: $(VENV)/.test  ## all tests
	$(BIN)/python -m pytest -n 2

# An environment of its own, since torch takes 1.4 GB. `constraints.txt` names a build for CPUs.
MACE_VENV ?= .venv-mace
MACE_BIN := $(MACE_VENV)/bin

$(MACE_VENV)/.torch: constraints.txt
	test -x $(MACE_BIN)/python || $(PYTHON) -m venv $(MACE_VENV)
	$(MACE_BIN)/python -m pip install --quiet --constraint constraints.txt torch mace-torch
	touch $@

$(MACE_VENV)/.mace: $(MACE_VENV)/.torch $(PROJECTS)
	$(MACE_BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,report]" \
	    --editable libraries/xpot-lammps-session --editable plugins/xpot-lammps --editable plugins/xpot-mace
	touch $@

mace-torch: $(MACE_VENV)/.torch  ## torch and mace-torch for `make test-mace`

test-mace: $(MACE_VENV)/.mace  ## tests of xpot-mace with a torch for CPUs
	$(MACE_BIN)/python -m pytest -n 2 plugins/xpot-mace

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/mypy benchmarks/*.py

docs: $(VENV)/.test
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

gallery: $(VENV)/.test  ## docs/gallery.md and its figures from real runs, some minutes
	$(BIN)/python docs/make_gallery.py

notebook: $(VENV)/.test  ## docs/examples/notebook.py executed, as notebook and as page
	$(BIN)/python docs/make_notebook.py

wheels: $(VENV)/.test  ## wheel and sdist of every distribution in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist . > /dev/null
	for project in $(LIBRARIES) $(PLUGINS); do $(BIN)/python -m build --outdir dist $$project > /dev/null || exit 1; done
	$(BIN)/twine check --strict dist/*

clean:
	rm -rf $(VENV) $(MACE_VENV) dist docs/_build

# Copies run, so that the committed results stay those of the full benchmarks. BENCH="--only trial gap" runs some.
BENCH ?=
bench-quick: $(VENV)/.test  ## a thin version of the benchmarks in less than 10 minutes, results in build/bench
	XPOT_DATA="$${XPOT_DATA:-$(abspath ../shared/data)}" $(BIN)/python benchmarks/quick.py $(BENCH)
