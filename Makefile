# Commands for development. `make run` and `make test` need only Python 3.11 and make: they set up
# `.venv` from locked requirements, and again when these change.

PYTHON ?= python3
UV ?= uv

# Bytecode is cached even if the shell disables it: the tests start the service often.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# Stamp files of completed steps; a step is repeated when its inputs are newer.
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
WIRE_READY := $(VENV)/.wire-ready
WIRE_SOURCES := $(wildcard wire/*.py wire/*.toml wire/*.txt wire/ws_service_wire/*)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Some tests need more than Python; they are left out, with a notice, where it is missing.
# Each entry is their marker and the Debian packages that provide it.
comma := ,
LEFT_OUT := \
	$(if $(shell command -v chromium),,browser:chromium) \
	$(if $(and $(wildcard /usr/sbin/haproxy),$(wildcard /usr/sbin/nginx)),,balancers:haproxy$(comma)nginx) \
	$(if $(shell command -v npm),,node:npm) \
	$(if $(wildcard /usr/lib/postgresql/*/bin/postgres),,postgres:postgresql) \
	$(if $(shell command -v promtool),,prometheus:prometheus) \
	$(if $(wildcard /usr/lib/*/rsyslog/omelasticsearch.so),,rsyslog:rsyslog-elasticsearch) \
	$(if $(shell command -v systemd-analyze),,systemd:systemd)
SELECTION := $(foreach one,$(LEFT_OUT),and not $(word 1,$(subst :, ,$(one))))
SELECTION := $(if $(SELECTION),-m "$(wordlist 2,99,$(SELECTION))")
# Tools that check the JavaScript client, the page, types, and documents.
NPM := $(shell command -v npm)
NODE_READY := node_modules/.ready

.DEFAULT_GOAL := help
.PHONY: postgres help run cluster platform lint lint-code lint-types lint-docs unit unit-pure unit-other test crash hostile torture
.PHONY: screenshots takeover drains torture-cluster mutants pythons bench bench-quick check format wire reference lock clean
# A failed recipe leaves no stamp behind.
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_READY) $(WIRE_READY) ## Serve for development: open the URL that it prints
	@$(BIN)/ws-service serve --dev

cluster: $(DEV_READY) $(WIRE_READY) ## Run three nodes, PostgreSQL, NATS and HAProxy: open the URL that it prints
	@$(BIN)/python -m tools.cluster

platform: $(DEV_READY) $(WIRE_READY) ## Run the whole example platform: open the URL that it prints
	@$(BIN)/python -m examples.platform

lint: $(DEV_READY) ## Check format, lint, types, layers and generated docs: below 30 s
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-types lint-code lint-docs

lint-types:
	$(BIN)/mypy

lint-code:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

lint-docs:
	$(BIN)/python tools/reference.py --check
	$(BIN)/python -m tools.authorisation --check
	$(BIN)/python -m tools.asyncapi --check
	$(BIN)/python tools/openapi.py --check
	$(BIN)/python tools/recording_schema.py --check

# Two processes with about half of the tests each. Those of pytest-xdist would each collect all of
# them and send every result to a third one, which takes half as much time again.
UNIT_PURE := $(addprefix tests/unit/,authorisation domain fanout games protocol replay)
UNIT = HYPOTHESIS_PROFILE=dev $(BIN)/python -m pytest --quiet $(addprefix -p no:,xdist schemathesis anyio cov cacheprovider)

unit: $(DEV_READY) ## Run the unit tests with few random examples, in seconds
	@$(MAKE) --no-print-directory --keep-going --jobs 2 --output-sync=target unit-pure unit-other

unit-pure:
	@$(UNIT) $(UNIT_PURE)

unit-other:
	@$(UNIT) $(addprefix --ignore=,$(UNIT_PURE)) tests/unit

test: $(DEV_READY) $(WIRE_READY) ## Run all tests (some need Debian's packages, which it names)
	@$(foreach one,$(LEFT_OUT),echo 'NOTICE: the $(word 1,$(subst :, ,$(one))) tests are LEFT OUT: apt-get install $(subst $(comma), ,$(word 2,$(subst :, ,$(one))))';)
	@$(BIN)/python -m tests.wire.kinds
	@$(BIN)/python -m pytest --numprocesses $(or $(WORKERS),2) $(SELECTION)

postgres: $(DEV_READY) $(WIRE_READY) ## Run the acceptance tests of the service with its log on PostgreSQL
	TEST_DATABASE=postgres $(BIN)/python -m pytest --numprocesses $(or $(WORKERS),2) $(SELECTION) tests/acceptance

crash: $(DEV_READY) $(WIRE_READY) ## Kill the service under load, TIMES=100 times, and check that nothing is lost
	$(BIN)/python -m tests.acceptance.crash --times $(or $(TIMES),100)

hostile: $(DEV_READY) $(WIRE_READY) ## Attack the service as one user with ten sockets, for SECONDS=60
	$(BIN)/python -m tests.torture.hostile --seconds $(or $(SECONDS),60)

torture: $(DEV_READY) $(WIRE_READY) ## Inject ROUNDS=200 faults, a reconnect storm, and MINUTES=10 of soak test
	$(BIN)/python -m tests.torture.torture --rounds $(or $(ROUNDS),200) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.torture.storm --sockets 1000 --times 3
	$(BIN)/python -m tests.torture.soak --minutes $(or $(MINUTES),10)
	CUT_STEP=1 $(BIN)/python -m pytest -q tests/clients
	$(BIN)/python wire/build.py --sanitize $(VENV)/wire-sanitized
	LD_PRELOAD=$$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
		PYTHONPATH=$(VENV)/wire-sanitized $(BIN)/python -m pytest -q -p no:cov tests/wire

takeover: $(DEV_READY) $(WIRE_READY) ## Kill the node of a match TIMES=50 times, HOW=kill or stop, and measure takeovers
	$(BIN)/python -m tests.cluster.takeover --times $(or $(TIMES),50) --how $(or $(HOW),kill)

drains: $(DEV_READY) $(WIRE_READY) ## Drain nodes under play TIMES=20 times, and measure what players notice
	$(BIN)/python -m tests.cluster.drains --times $(or $(TIMES),20)

torture-cluster: $(DEV_READY) $(WIRE_READY) ## Hurt a cluster under play for SECONDS=600 with SEED
	$(BIN)/python -m tests.cluster.torture --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

screenshots: $(DEV_READY) $(WIRE_READY) ## Take pictures of every page, dark, light and on a phone: docs/images
	$(BIN)/python -m tools.screenshots $(ONLY)

mutants: $(DEV_READY) ## Run mutation tests of the unit tests: PER_MODULE=30 SEED=1 ONLY=service/games
	$(BIN)/python -m tools.mutants --per-module $(or $(PER_MODULE),30) --seed $(or $(SEED),1) $(ONLY)

bench: $(DEV_READY) $(WIRE_READY) ## Benchmark the service and its peers, and write docs/performance.md
	$(BIN)/python -m benchmarks

bench-quick: $(DEV_READY) $(WIRE_READY) ## A short benchmark, printed only
	$(BIN)/python -m benchmarks --quick

pythons: $(DEV_READY) ## Run the unit tests on the other installed Pythons from 3.11 to 3.13
	@$(BIN)/python -m tools.pythons

check: lint pythons ## Run lint, the unit tests on other Pythons, the JavaScript checks, the C of wire/, and all tests
	$(if $(NPM),node tools/message_types.js --check)
	$(if $(NPM),npm run --silent check)
	$(BIN)/python wire/build.py --check
	@$(MAKE) --no-print-directory test

format: $(DEV_READY) ## Format the code and apply ruff's fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# For every Python from 3.11 on; differences have environment markers.
LOCK := $(UV) pip compile --universal --python-version 3.11 --quiet $(if $(UPGRADE),--upgrade) \
	--no-emit-index-url --no-emit-find-links --generate-hashes --custom-compile-command 'make lock'

wire: $(DEV_READY) ## Generate the C of wire/ again, and build it for .venv
	$(BIN)/python wire/build.py --generate
	@$(BIN)/python wire/build.py

reference: $(DEV_READY) ## Generate docs/reference.md and the contract documents from the code
	$(BIN)/python tools/reference.py
	$(BIN)/python -m tools.authorisation
	$(BIN)/python -m tools.asyncapi
	$(BIN)/python tools/openapi.py
	$(BIN)/python tools/recording_schema.py
	node tools/message_types.js

lock: ## Pin the requirements again, with hashes (needs uv; UPGRADE=1 takes the newest versions)
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --extra test --constraint requirements/dev.txt --output-file requirements/test.txt
	$(LOCK) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) --group wire/pyproject.toml:build --output-file wire/requirements.txt

clean: ## Remove the venv and the caches (the data directory stays)
	rm -rf $(VENV) $(VENV)-3.* node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf .coverage htmlcov dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN_READY): requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo 'Installing the requirements of the service into $(VENV) ...'
	@$(PIP) install --no-deps --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): requirements/dev.txt requirements/build.txt pyproject.toml | $(BIN)/python $(if $(NPM),$(NODE_READY))
	@echo 'Installing the requirements of development into $(VENV) ...'
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(RUN_READY) $@

# Built in a throwaway venv; where that can't be done, one line says so, and Python does its work.
$(WIRE_READY): $(WIRE_SOURCES) | $(BIN)/python
	@echo 'Building the native wire ...'
	@$(BIN)/python wire/build.py
	@touch $@

# Without the packages' install scripts: none is needed, and one reports its use to its vendor.
$(NODE_READY): package.json package-lock.json
	@echo 'Installing the JavaScript tools into node_modules ...'
	@npm ci --ignore-scripts --silent
	@touch $@
