#!/usr/bin/env bash
# Installs Neovim and Emacs, whose recipes in docs/editors.md tests/recipes runs, and prints the names of those that must run.
# Where apt-get is missing, may not install or reaches no archive, it says so and prints nothing: the tests are then skipped.
# Where apt-get reaches its archive, an editor that cannot be installed is an error.
set -euo pipefail
packages=(neovim emacs-nox elpa-markdown-mode)

say() { echo "editors.sh: $*" >&2; }

if ! command -v apt-get >/dev/null; then
  say "no apt-get here: Neovim and Emacs run only if they are installed"
  exit 0
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    say "apt-get needs root here: Neovim and Emacs run only if they are installed"
    exit 0
  fi
  sudo=(sudo -n)
fi
# Emacs has Eglot since version 29.
is_ready() { dpkg --status "${packages[@]}" && emacs -q --batch --eval "(progn (package-initialize) (require 'eglot))"; }
if ! is_ready >/dev/null 2>&1; then
  if ! timeout 60 "${sudo[@]}" apt-get update -qq -o APT::Update::Error-Mode=any >&2; then
    say "apt-get reaches no archive: Neovim and Emacs run only if they are installed"
    exit 0
  fi
  if apt-cache show elpa-eglot >/dev/null 2>&1; then packages+=(elpa-eglot); fi
  timeout 120 "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=60 "${packages[@]}" >/dev/null
fi
echo "nvim emacs"
