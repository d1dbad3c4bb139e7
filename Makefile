# Every target first installs what is missing (infra/deploy/setup.sh: nothing to do takes about a second).

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests web demo up test test-hard check bench clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: setup ## the main job once: a recording becomes a lesson that is found
	@.venv/bin/lorecast demo

up: setup ## everything on this machine, until Ctrl-C
	@.venv/bin/lorecast up

test: setup-tests ## all tests but the long repetitions
	.venv/bin/pytest -m "not hard"

test-hard: setup-tests ## the long repetitions
	.venv/bin/pytest -m hard

check: setup ## style, types and import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python infra/deploy/build_web.py check

bench: setup ## how fast and how right it is, as a table
	@.venv/bin/python -m tests.bench

setup: ## install what is missing
	@infra/deploy/setup.sh

setup-tests:
	@infra/deploy/setup.sh --tests

web: setup ## build the pages (part of setup: done when their sources have changed)

clean: ## remove the data in .data, what was built, and caches; keeps .venv and .tools
	@if [ -e .data/lock ] && ! flock --nonblock .data/lock true; then \
		echo "Lorecast is running over .data. Nothing was removed. Stop it first." >&2; exit 1; fi
	rm -rf .data web/dist web/node_modules build .coverage htmlcov
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -prune -exec rm -rf {} +
