# Two commands on a bare machine with Python 3.11 or newer:  make run  |  make test
# Everything happens in .venv, which each target brings up to date by itself.
SHELL   := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PY      ?= python3
BIN     := .venv/bin
STAMP   := .venv/.synced
PROTOS  := $(sort $(wildcard protos/p2pchat/v1/*.proto))
WORKERS ?= 3
SEEDS   ?= 200
START   ?= 0
CYCLES  ?= 5
CASES   ?= 1000
ARGS    ?=

.PHONY: help setup run test check proto sim figures chaos crash fuzz bench rivals screens lock

help:  ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/\1	\2/p' $(MAKEFILE_LIST) | while IFS='	' read -r target text; do \
	  printf '  make %-8s%s\n' "$$target" "$$text"; done

# pip is called through the interpreter, so that a checkout which was moved still works.
$(STAMP): requirements-dev.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PY=python3.12")'
	$(PY) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP)  ## the virtual environment in .venv, exactly as locked

run: $(STAMP)  ## the demo: an NDS, three peers and you in #demo; without a terminal it plays by itself
	@$(BIN)/p2pchat demo

# The tests start thousands of processes: they find everything compiled, also where the environment
# has Python write nothing.
test: $(STAMP)  ## every test, on WORKERS=3 processes (ARGS='-k name' chooses)
	@$(BIN)/python -m compileall -q nds node generated tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: $(STAMP)  ## lint, format, types, protos, generated code, import rules, locks, spelling
	@echo '== ruff check'; $(BIN)/ruff check --quiet
	@echo '== ruff format'; $(BIN)/ruff format --quiet --check
	@echo '== mypy --strict'; $(BIN)/mypy --no-error-summary
	@echo '== buf lint'; BUF_CACHE_DIR=.venv/.buf $(BIN)/buf lint
	@echo '== generated code'; $(call generate,diff -rq -x __pycache__ generated/p2pchat $$fresh/p2pchat \
	  || { echo 'generated/ is out of date: run make proto'; exit 1; })
	@echo '== import rules'; $(BIN)/python -m pytest -q --no-header --tb=short -p no:cacheprovider tests/test_architecture.py
	@echo '== lock files'; $(BIN)/python -m tests.locks
	@echo '== codespell'; $(BIN)/codespell
	@echo 'all checks passed'

proto: $(STAMP)  ## write generated/ anew from protos/
	@$(call generate,mkdir -p generated && rm -rf generated/p2pchat && mv $$fresh/p2pchat generated/)

sim: $(STAMP)  ## simulate: SEEDS=200 START=0; one with SEED=7 or SCHEDULE=file, TRACE=1, SHRINK=file; COVER=1
ifdef COVER
	@$(BIN)/python -m tests.sim.marks --start $(START) --seeds $(SEEDS) $(ARGS)
else ifneq ($(SEED)$(SCHEDULE),)
	@$(BIN)/python -m tests.sim.swarm $(if $(SCHEDULE),--schedule $(SCHEDULE),--seed $(SEED)) \
	  $(if $(TRACE),--trace) $(if $(SHRINK),--shrink $(SHRINK)) $(ARGS)
else
	@$(BIN)/python -m tests.sim.swarm --start $(START) --seeds $(SEEDS) $(ARGS)
endif

figures: $(STAMP)  ## what elections, noticing a death and large groups cost, into tests/sim/*.md
	@$(BIN)/python -m tests.sim.elections --write $(ARGS)
	@$(BIN)/python -m tests.sim.crowds --write

chaos: $(STAMP)  ## chaos: CYCLES=5 START=0, or one with SEED=7; OUT=FILE, KEEP=1
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED),--start $(START) --cycles $(CYCLES)) \
	  $(if $(OUT),--out $(OUT)) $(if $(KEEP),--keep) $(ARGS)

crash: $(STAMP)  ## kill a node at every point at which it stores or sends (ARGS='--start 1 --count 50')
	@$(BIN)/python -m tests.crash $(ARGS)

fuzz: $(STAMP)  ## hostile callers: CASES=1000 of each RPC, START=0, or one with RPC=Node/Message SEED=7
	@$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED),--start $(START) --cases $(CASES)) $(if $(RPC),--rpc $(RPC)) $(ARGS)

screens: $(STAMP)  ## the app's screens as text and as pictures, written anew: read what has changed
	@$(BIN)/python -m tests.cli.screens --rewrite --pictures $(ARGS)

bench: $(STAMP)  ## ours beside others, also QUICK=1; ARGS=rows each part alone, ARGS=micro single steps
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(ARGS)

# Who is not there does not take part.  Pyre brings a package along that stands in for a module which
# Python has had for long: it is left out.
rivals: $(STAMP)  ## what bench compares with: nats-server, mosquitto, ngircd (apt-get) and Pyre
	@as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); $$as_root apt-get update --quiet=2; \
	$$as_root apt-get install --yes --quiet=2 --no-install-recommends nats-server mosquitto ngircd
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps zeromq-pyre==0.3.4 pyzmq==27.3.0

# The second file is held to the versions of the first. UPGRADE=1 moves to the newest versions;
# otherwise what is locked stays locked. Addresses are kept out: any package index will do.
LOCK := $(BIN)/uv pip compile pyproject.toml --generate-hashes --universal --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --system-certs --quiet $(if $(UPGRADE),--upgrade)
lock: $(STAMP)  ## write both lock files anew (UPGRADE=1 takes the newest versions)
	$(LOCK) --group dev -o requirements-dev.lock
	$(LOCK) --constraints requirements-dev.lock -o requirements.lock

# Generated aside first, so that a mistake in a proto leaves what is there alone; $(1) then takes $$fresh.
define generate
test -n '$(PROTOS)' || { echo 'protos/p2pchat/v1 has no .proto file'; exit 1; }; \
fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos \
  --python_out=$$fresh --grpc_python_out=$$fresh \
  --mypy_out=quiet:$$fresh --mypy_grpc_out=quiet,only_async:$$fresh $(PROTOS); \
touch $$fresh/p2pchat/{__init__.py,py.typed} $$fresh/p2pchat/v1/__init__.py; \
$(1)
endef
