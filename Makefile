# What one does here. Everything is set up on the first use and kept in .venv and .lab.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SWITCH ?= asterisk
WORKERS ?= 3
.DEFAULT_GOAL := help
.PHONY: help setup run test check bench faults lab clean

help:   ## these lines
	@sed -n 's/^\([a-z]*\):.*##/make \1 \t/p' Makefile

setup:  ## all set-up, runs nothing
	@$(PYTHON) -m lab.environment
	@$(PYTHON) -m lab.provision asterisk sipp >/dev/null || \
		{ [ $$? = 3 ] && echo "setup: going on without the real Asterisk and SIPp" >&2; }

run: setup  ## real calls through a real Asterisk (SWITCH=freeswitch: your FreeSWITCH), judged as you watch
	@$(BIN)/python -m lab.run --switch $(SWITCH) $(ARGS)

test: setup check  ## the whole suite (ARGS= for pytest; WORKERS=1 for one after the other)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup  ## ruff, mypy --strict, the rules of import, known holes in what we depend on
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m lab.audit

bench: setup  ## the figures of the README, as a table and in bench.json
	@$(BIN)/python -m tests.bench $(ARGS)

faults: setup  ## every fault on a real switch with calls in every phase, as a table and in faults.json
	@$(BIN)/python -m tests.faults $(ARGS)

lab: setup  ## only the switch, its far end and its accounts, for calls of your own
	@$(BIN)/python -m lab.run --switch $(SWITCH) --switch-only $(ARGS)

clean:  ## everything that was made here
	rm -rf .venv .lab var build dist *.egg-info bench.json faults.json safety*.json switch.json .*_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
