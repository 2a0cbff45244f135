PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test test-fast check check-dist format contract manual lock dist soak soak-windows bench clean vsix vsix-all test-client test-editor

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## play a conversation through a real server, and show what comes of it
	$(BIN)/kato demo

# Coverage counts what runs in the tests' own process: the core must be covered there, without a server around it.
test: check check-dist ## everything: formatting, lint, types, imports, language, tests, coverage
	$(BIN)/python -m pytest -n auto --cov || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none
	$(BIN)/python tools/check_coverage.py

test-fast: $(STAMP) ## the tests for the inner loop: no process is started
	$(BIN)/python -m pytest -n auto -q tests/unit tests/writer tests/providers --hypothesis-profile fast -m "not slow"

check: $(STAMP) ## formatting, lint, types, import contracts, spelling and language
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python tools/check_prose.py

format: $(STAMP) ## format, and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check-dist: $(STAMP) ## what the wheel and the source distribution contain, and whether an index accepts them
	rm -rf build/check && $(BIN)/python -m hatchling build --directory build/check
	$(BIN)/check-wheel-contents build/check/*.whl
	$(BIN)/twine check --strict build/check/*

contract: $(STAMP) ## write client-vscode/contract.json from the declarations in the code
	$(BIN)/python -m kato.lsp.contract

$(STAMP): pyproject.toml requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit("Kato needs Python 3.10 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 10) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

UPGRADE ?= --upgrade
UV_LOCK := uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
lock: ## lock the dependencies of development and of the extension's server again (needs uv; UPGRADE= keeps the versions)
	$(UV_LOCK) $(UPGRADE) --group dev pyproject.toml --output-file requirements/dev.txt
	$(UV_LOCK) $(UPGRADE) --all-extras --group installer --constraint requirements/dev.txt pyproject.toml --output-file requirements/runtime.txt
	$(UV_LOCK) $(UPGRADE) --group pyproject.toml:node --output-file requirements/node.txt

manual: $(STAMP) ## write docs/kato.1, the man page, from the command line's parser
	$(BIN)/kato help --man > docs/kato.1

dist: $(STAMP) ## build the wheel and the source distribution
	rm -rf dist && $(BIN)/python -m hatchling build

soak: $(STAMP) ## a mixed load with kills and full disks for SOAK_SECONDS (60); SOAK_SEED repeats one (docs/reliability.md)
	PYTHONPATH=tests $(BIN)/python -m soak

soak-windows: export KATO_WINDOW_RUNS ?= 1000
soak-windows: $(STAMP) ## a thousand conversations that two windows follow (KATO_WINDOW_RUNS)
	$(BIN)/python -m pytest -n auto tests/faults/test_windows.py

bench: $(STAMP) ## measure (docs/performance.md)
	$(BIN)/python -m benchmarks --json benchmarks/results.json

CLIENT := client-vscode
CLIENT_STAMP := $(CLIENT)/node_modules/.installed
VSIX := $(BIN)/python tools/build_vsix.py

# Node.js that `make node` or `make test-editor` fetched comes before the system's.
NODE := $(CLIENT)/.node
export PATH := $(CURDIR)/$(NODE)/programs:$(PATH)

$(CLIENT_STAMP): $(CLIENT)/package.json $(CLIENT)/package-lock.json | node-check
	cd $(CLIENT) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

.PHONY: node node-check
node: $(NODE)/.installed ## fetch Node.js into client-vscode/.node, for machines that have none

$(NODE)/.installed: requirements/node.txt
	$(PYTHON) -m venv $(NODE)
	$(NODE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/node.txt
	mkdir -p $(NODE)/programs && cd $(NODE)/programs && ln -sf ../bin/node ../bin/npm ../bin/npx .
	touch $@

# FETCH_NODE: fetch what is missing instead of ending with what to do.
node-check:
	@npm --version >/dev/null 2>&1 && node -e 'process.exit(Number(parseInt(process.versions.node) < 20))' || \
	if [ -n "$(FETCH_NODE)" ]; then $(MAKE) node; else \
	echo "The extension needs Node.js 20 or newer with npm; found: $$(node --version 2>/dev/null || echo no node), npm $$(npm --version 2>/dev/null || echo missing)." >&2; \
	echo "Install it from https://nodejs.org or with your package manager, or run: make node" >&2; exit 1; fi

test-client: $(CLIENT_STAMP) ## types, lint and unit tests of the extension
	cd $(CLIENT) && npm test

vsix: $(STAMP) $(CLIENT_STAMP) ## build the VS Code extension for this machine, with all that its server needs (needs Node.js 20)
	$(VSIX)

vsix-all: $(STAMP) $(CLIENT_STAMP) ## build the extension for every platform, and the universal one
	$(VSIX) --all

test-editor: FETCH_NODE := yes
test-editor: vsix ## install the extension in a real VS Code and drive it (fetches Node.js and Chromium where they are missing)
	$(CLIENT)/test/editor/run.sh "$$($(VSIX) --name)"

clean: ## remove what was built and installed
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-output dist build
	rm -rf $(CLIENT)/node_modules $(NODE) $(CLIENT)/dist $(CLIENT)/dist-test $(CLIENT)/server $(CLIENT)/*.vsix $(CLIENT)/.vscode-test $(CLIENT)/test-results
