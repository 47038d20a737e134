# From nothing to the report: `make all`. Works with GNU make 3.81 (macOS) and later.

VENV := .venv
PY := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
INSTALLED := $(VENV)/.installed

# Quote a variable for the shell as one word; $(value) because a dollar sign in a path is not a variable.
quote = '$(subst ','\'',$(1))'
option = $(if $(value $(2)), $(1) $(call quote,$(value $(2))))
RUNS = $(call option,--seeds,SEEDS)$(call option,--activations,ACTIVATIONS)$(call option,--first-seed,FIRST_SEED)$(call option,--mnist,MNIST)
WHERE = $(call option,--workers,WORKERS)$(call option,--scheduler,SCHEDULER)
KEPT = $(call option,--results,RESULTS)
KEPT_QUICK = $(if $(value RESULTS),$(KEPT), --results results-quick)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: all quick claims narrow past_99 flagship test report bench check format lock clean help
unexport PYTHONPATH PYTHONHOME

all: $(INSTALLED) ## everything: environment, data, runs, tables, figures, report; what is done is not repeated
	$(PY) -m study all$(RUNS)$(WHERE)$(KEPT)

quick: $(INSTALLED) ## a taste of the same, written to results-quick
	$(PY) -m study all --quick$(RUNS)$(WHERE)$(KEPT_QUICK)

claims: $(INSTALLED) ## the long protocols of the literature's claims, to the letter; may be stopped and resumed
	$(PY) -m study all --target claims$(RUNS)$(WHERE)$(KEPT)

narrow: $(INSTALLED) ## the comparison on other seeds, for narrower intervals (2 cores with AVX-512: 35 minutes); may be stopped and resumed
	$(PY) -m study all --target narrow$(RUNS)$(WHERE)$(KEPT)

past_99: $(INSTALLED) ## how far past 99% each activation comes (2 cores with AVX-512: 4 hours); may be stopped and resumed
	$(PY) -m study all --target past_99$(RUNS)$(WHERE)$(KEPT)

flagship: $(INSTALLED) ## the largest network, five seeds (2 cores with AVX-512: 5 hours); may be stopped and resumed
	$(PY) -m study all --target flagship$(RUNS)$(WHERE)$(KEPT)

# One process per core, at most four; the tests of a file stay together because they share what is slow to make. The
# slowest files come first (tests/conftest.py), so that no process is left alone with one at the end.
SIDE_BY_SIDE = -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(INSTALLED) ## the tests
	$(PY) -m pytest $(SIDE_BY_SIDE)

report: $(INSTALLED) ## tables, figures and report again from the records, no training
	$(PY) -m study report$(KEPT)

# The peers get an environment of their own; if they cannot be installed, the rest is measured.
bench: $(INSTALLED) ## the engine's speed beside its peers, in one run (2 cores with AVX-512: 17 minutes; 6 GB of peers the first time)
	-@$(PY) tools/environment.py peers $(VENV)-bench requirements-bench.lock
	$(PY) -m tests.benchmarks$(call option,--mnist,MNIST)$(call option,--repeats,REPEATS)$(KEPT)

check: $(INSTALLED) ## lint, format, types and tests: what a contribution must pass; changes nothing
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(dir $(PY))lint-imports
	$(PY) -m pytest $(SIDE_BY_SIDE)

format: $(INSTALLED) ## format the code, and fix what ruff can fix
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --only-binary :all: \
  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"
# On Linux, PyTorch from the usual index needs CUDA libraries to start even without a GPU, but not these.
NOT_ON_A_CPU = triton cuda-bindings cuda-pathfinder nvidia-cuda-cccl nvidia-cuda-cupti nvidia-cusolver nvidia-nvtx

# Pins that are in a lock stay; to take newer versions, delete the lock first.
lock: ## requirements.lock and requirements-bench.lock from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv (pip install uv)." >&2; exit 1; }
	$(COMPILE) --extra dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --group bench $(addprefix --no-emit-package ,$(NOT_ON_A_CPU)) --output-file requirements-bench.lock

clean: ## remove the environment and caches; results stay
	rm -rf $(VENV) $(VENV)-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis build activation_study.egg-info
	find study experiments tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z_0-9]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile
	@awk '/^## / { sub("## ", ""); print }' Makefile
	@for python in $(PY) $(PYTHONS); do "$$python" study/runner/cores.py 2>/dev/null && break; done; true

##
## all, quick, claims, narrow, past_99 and flagship first measure this machine, and say how long they will take.
## With any of: SEEDS=30                    seeds per setting
##              ACTIVATIONS="relu mish"     these activations alone
##              FIRST_SEED=10000            other seeds: shifts every block of them by so much
##              WORKERS=8                   processes; one for each core if not said
##              SCHEDULER=tcp://host:8786   a Dask cluster instead
##              MNIST=mnist.npz             the data, if it is on this machine already
##              REPEATS=15                  of bench's contenders; 7 if not said
##              RESULTS=folder              where records, tables, figures and report are kept
##              PYTHON=python3.13           what .venv is made with; the first that suits if not said

# The first Python that suits, or the one named. If none does, the first one's reason is shown.
PYTHONS = $(if $(value PYTHON),$(call quote,$(value PYTHON)),python3 python3.13 python3.12 python3.11 python)
NEEDED = this study needs CPython 3.11, 3.12 or 3.13 on Linux, Windows or an Apple-silicon Mac

# The environment holds a copy of the lock it was made from. Contents are compared: a date may be wrong.
# The Python that the environment was made of may be gone, after an upgrade.
STALE := $(shell cmp -s requirements.lock $(INSTALLED) 2>/dev/null && test -x $(PY) || echo stale)
.PHONY: stale
$(INSTALLED): $(STALE)
	@why=; for python in $(PYTHONS); do \
	  answer=$$("$$python" tools/environment.py check 2>/dev/null); \
	  if [ "$$answer" = suits ]; then exec "$$python" tools/environment.py make $(VENV) requirements.lock; fi; \
	  why=$${why:-$$answer}; \
	done; \
	echo "$${why:-$${python} does not run}; $(NEEDED): make all PYTHON=python3.13" >&2; exit 1
