# make demo         set up .venv and play a conversation through a real server
# make test         set up .venv and run everything: formatting, lint, types, imports, tests
# make contract    write client-vscode/contract.json from the declarations in the code
# make soak         a mixed load with kills and full disks for SOAK_SECONDS (60); SOAK_SEED repeats one (see docs/reliability.md)
# make soak-windows a thousand conversations that two windows follow (KATO_WINDOW_RUNS)
# make bench        measure (see docs/performance.md)
# make vsix         build the VS Code extension with the server's wheel inside (needs Node.js 20)
# make test-client  types and unit tests of the extension
# make test-editor  install the extension in a real VS Code and drive it (needs Chromium)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check format contract soak soak-windows bench clean vsix test-client test-editor

demo: $(STAMP)
	$(BIN)/kato demo

# A test that drives a real process can be late on a machine that is busy with the others: it runs once more, alone.
test: check
	$(BIN)/python -m pytest -n auto || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

contract: $(STAMP)
	$(BIN)/python -m kato.lsp.contract

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Kato needs Python 3.10 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 10) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

soak: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m soak

soak-windows: export KATO_WINDOW_RUNS ?= 1000
soak-windows: $(STAMP)
	$(BIN)/python -m pytest -n auto tests/faults/test_windows.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks --json benchmarks/results.json

CLIENT := client-vscode
CLIENT_STAMP := $(CLIENT)/node_modules/.installed
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' server/kato/__init__.py)

$(CLIENT_STAMP): $(CLIENT)/package.json $(CLIENT)/package-lock.json
	cd $(CLIENT) && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

test-client: $(CLIENT_STAMP)
	cd $(CLIENT) && npm test

vsix: $(STAMP) $(CLIENT_STAMP)
	rm -rf $(CLIENT)/server $(CLIENT)/dist && mkdir $(CLIENT)/server
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(CLIENT)/server .
	cd $(CLIENT) && npm run --silent build && npx vsce package --no-dependencies --out kato-$(VERSION).vsix

test-editor: vsix
	cd $(CLIENT)/test/editor && ./run.sh ../../kato-$(VERSION).vsix

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-output dist build
	rm -rf $(CLIENT)/node_modules $(CLIENT)/dist $(CLIENT)/dist-test $(CLIENT)/server $(CLIENT)/*.vsix $(CLIENT)/.vscode-test $(CLIENT)/test-results
