# `make` lists what there is.  Everything runs from .venv, which `make setup` fills by hash.
.DEFAULT_GOAL := help
.PHONY: help demo up test quick check bench setup kafka-jars lock clean

# ARGS goes to the command: make demo ARGS=--keep, make test ARGS="-k permits"
ARGS ?=
PY := .venv/bin/python
# Some machines forbid Python to keep what it compiled: then every process compiles us anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | while IFS=: read -r name what; do \
	  printf '  make %-11s%s\n' "$$name" "$$what"; done

demo: .venv/.run ## 45 days of a sample loan book in about two minutes, nothing needed but Python
	@$(PY) -m services demo $(ARGS)

up: .venv/.run ## the same on Apache Kafka and PostgreSQL, each service its own process (Java 17)
	@$(PY) -m services up $(ARGS)

test: .venv/.dev ## every test, on both streams, as CI runs them
	@$(PY) -m deploy.kafka.fetch || true
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

quick: .venv/.dev ## the tests that take seconds: without Kafka and without the slow ones
	@$(PY) -m pytest -m "not kafka and not slow" $(ARGS)

check: .venv/.dev ## format, lint and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

bench: .venv/.dev ## reminders a second beside bare loops; writes docs/bench.md
	@$(PY) -m tests.bench $(ARGS)

setup: .venv/.dev ## make .venv with all that tests and checks need

kafka-jars: .venv/.run ## fetch Apache Kafka's jars with Maven and verify them
	@$(PY) -m deploy.kafka.fetch

UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
lock: .venv/.run ## after a change of requirements*.in or deploy/kafka/pom.xml (needs uv, Maven)
	@command -v uv >/dev/null || { echo "error: uv is not installed: pip install uv" >&2; exit 1; }
	@$(UV_COMPILE) -o requirements.txt requirements.in
	@$(UV_COMPILE) -o requirements-dev.txt requirements-dev.in
	@$(PY) -m deploy.kafka.fetch --write-lock

clean: ## remove .venv, caches, fetched jars and the data of trials
	@rm -rf .venv .dunwell .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	@rm -rf build dist deploy/kafka/jars
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.run: requirements.txt deploy/environment.py deploy/environment.sh
	@sh deploy/environment.sh requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt deploy/environment.py deploy/environment.sh
	@sh deploy/environment.sh requirements-dev.txt
	@touch .venv/.run $@
