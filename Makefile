# Every target builds the environments it needs and costs nothing the second time.
#   PYTHON=python3.12 make test     another interpreter
PYTHON ?= python3
export PYTHON
# Tests start hundreds of processes, which would all compile the same modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Most tests wait more than they compute.
WORKERS ?= 3

BIN := .venv/bin
CACHE := .cache
TEST_USER ?= nobody

.DEFAULT_GOAL := help
.PHONY: help demo test coverage test-unprivileged test-no-userns check bench conformance fuzz dist clean env env-demo env-bench

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20

demo: env-demo  ## three real sources, one program, what it cost
	@$(BIN)/toolweft demo

test: env  ## every test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

# Tracing makes the tests three times as slow.
coverage: env  ## every test, and which lines and branches they reach
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

test-unprivileged:  ## every test as another user: nobody, or make ... TEST_USER=NAME
	@WORKERS=$(WORKERS) PYTEST_ARGS="$(PYTEST_ARGS)" scripts/test_restricted.sh --user $(TEST_USER)

test-no-userns:  ## every test where user namespaces are forbidden
	@WORKERS=$(WORKERS) PYTEST_ARGS="$(PYTEST_ARGS)" scripts/test_restricted.sh --no-userns

check: env  ## format, lint, types, layers, security, sizes
	@BIN=$(BIN) scripts/check.sh

bench: env-bench  ## every script of benchmarks/, results in .cache/bench
	@BIN=$(BIN) scripts/bench.sh $(CACHE)/bench

conformance: env  ## the protocol's own suites, directly and through the gateway; needs npm
	@scripts/node.sh $(CACHE)/conformance/release requirements/conformance-release.txt
	@scripts/node.sh $(CACHE)/conformance/preview requirements/conformance-preview.txt
	@$(BIN)/python scripts/conformance.py $(CACHE)/conformance $(CONFORMANCE_ARGS)

fuzz: env  ## random programs and frames against the sandbox; goes on where it ended
	@$(BIN)/python -m fuzz --programs 2000 --frames 50000 --state $(CACHE)/fuzz.json

dist: env  ## sdist and wheel in dist/, checked
	@rm -rf dist
	@$(BIN)/hatchling build -d dist
	@$(BIN)/python scripts/check_dist.py dist

clean:  ## remove everything a target made, environments too
	rm -rf .venv .venv-* .cache dist build .coverage .coverage.* htmlcov
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

env:
	@scripts/venv.sh .venv requirements/dev.txt --editable

# The demo itself needs no development tools; its servers live apart, so versions cannot clash.
env-demo:
	@scripts/venv.sh .venv requirements/base.txt --editable
	@scripts/venv.sh .venv-demo requirements/demo.txt

env-bench: env
	@scripts/venv.sh .venv-demo requirements/demo.txt
	@scripts/venv.sh .venv-bench-fastmcp requirements/bench-fastmcp.txt
	@scripts/venv.sh .venv-bench-harness requirements/bench-harness.txt
	@scripts/venv.sh .venv-bench-tokens requirements/bench-tokens.txt
	@scripts/node.sh $(CACHE)/bench requirements/bench-node.txt
