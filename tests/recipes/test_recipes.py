"""The recipes of docs/editors.md in the editors that they are for, with the real server. The editors get the code from the document.

An editor that is not installed is skipped, unless KATO_EDITORS names it, as `.ci/run` does where it could install it. KATO_NVIM is
another Neovim than that of the PATH.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kato.core.layers import resolve
from logs import ClaudeLog

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "editors.md"
#: Editors wait for a minute for each thing that they show: machines that run other tests are slow.
SECONDS_MAX = 240


def recipes(title: str, language: str) -> list[str]:
    """The blocks of code below a heading of the document."""
    (section,) = re.findall(
        rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL
    )
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert blocks, f"docs/editors.md has no {language} below {title}"
    return blocks


def program(name: str) -> str:
    found = os.environ.get(f"KATO_{name.upper()}") or shutil.which(name)
    if found is None and name in os.environ.get("KATO_EDITORS", "").split():
        pytest.fail(f"{name} is not installed, and KATO_EDITORS requires it")
    if found is None:
        pytest.skip(f"{name} is not installed; Debian's packages are named in .ci/editors.sh")
    return found


class Desk:
    """A folder with a conversation of Claude Code, and an editor that is started in it."""

    def __init__(self, environment: dict[str, str], work: Path, tmp_path: Path) -> None:
        self.work, self.tmp_path = work, tmp_path
        (work / ".git").mkdir()
        (work / "readme.md").write_text("# A document that is not a note\n")
        (work / "app.py").write_text("print()\n")
        self.log = ClaudeLog(Path(environment["HOME"]), work)
        self.log.write(self.log.user("why is the sky blue?"))
        self.log.write(*self.log.text("Rayleigh scattering.\n\n## In short\n\nBlue light scatters more."))
        self.seen = tmp_path / "seen.json"
        self.note = work / "talk.md"
        path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        self.environment = environment | {
            "PATH": path,
            "KATO_STATE_DIR": str(tmp_path / "state"),
            "KATO_START": str(work / "readme.md"),
            "KATO_NOTE": str(self.note),
            "KATO_SEEN": str(self.seen),
            "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
            "XDG_STATE_HOME": str(tmp_path / "xdg"),
            "XDG_DATA_HOME": str(tmp_path / "xdg"),
            "XDG_CACHE_HOME": str(tmp_path / "xdg"),
            "TERM": "dumb",
        }

    def run(self, *command: str, **more: str) -> dict[str, Any]:
        """What the editor showed."""
        done = subprocess.run(
            command,
            cwd=self.work,
            env=self.environment | more,
            timeout=SECONDS_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.seen.exists(), done.stdout
        seen: dict[str, Any] = json.loads(self.seen.read_text())
        assert seen.get("error") is None, (seen, done.stdout)
        return seen

    def check_note(self) -> None:
        """The recipe's command captured the conversation."""
        text = self.note.read_text()
        assert "\nwhy is the sky blue?\n" in text
        assert text.endswith("Blue light scatters more.\n")


@pytest.fixture
def desk(environment: dict[str, str], work: Path, tmp_path: Path) -> Desk:
    return Desk(environment, work, tmp_path)


def check_symbols(symbols: list[str]) -> None:
    """Each editor shows names in its own frame: turn, reply, heading, in this order."""
    shown = " / ".join(symbols)
    assert re.search(r"You, \d\d:\d\d: why is the sky blue\?.*claude-sonnet-5, \d\d:\d\d.*In short", shown), (
        shown
    )


@pytest.mark.slow
def test_neovim(desk: Desk) -> None:
    nvim = program("nvim")
    version = subprocess.run([nvim, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v(\d+)\.(\d+)", version)
    assert found is not None
    is_new = (int(found[1]), int(found[2])) >= (0, 11)
    title = "Neovim (0.11 or newer)" if is_new else "Neovim (0.7 to 0.10)"
    recipe = desk.tmp_path / "init.lua"
    recipe.write_text("\n".join(recipes(title, "lua")))
    seen = desk.run(nvim, "--headless", "-u", str(recipe), "-c", f"luafile {HERE / 'drive.lua'}")
    assert seen["server"] == "kato"
    assert seen["options"] == {"daemonMaxMemoryMb": 150}
    assert re.fullmatch(r"Kato \d+ MB, 0 recording", seen["status"])
    assert re.fullmatch(r"Kato \d+ MB, 1 recording", seen["after"])
    desk.check_note()
    check_symbols(seen["symbols"])
    assert sorted(seen["lenses"]) == ["Recording, now", "Stop", "Update"]
    assert "**You**" in seen["hover"]
    assert desk.log.session in seen["hover"]
    assert seen["folds"][0]["startLine"] == 0
    assert seen.get("folded", False) is is_new
    assert "error" not in seen["messages"].lower()


@pytest.mark.slow
def test_emacs(desk: Desk) -> None:
    emacs = program("emacs")
    recipe = desk.tmp_path / "recipe.el"
    recipe.write_text("\n".join(recipes("Emacs (Eglot)", "elisp")))
    is_there = subprocess.run(
        [emacs, "-q", "--batch", "--eval", "(progn (package-initialize) (require 'eglot) (require 'markdown-mode))"],
        env=desk.environment,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if is_there.returncode and "emacs" not in os.environ.get("KATO_EDITORS", "").split():
        pytest.skip("Emacs has no Eglot or no markdown-mode; Debian's packages are named in .ci/editors.sh")
    seen = desk.run(emacs, "-q", "--batch", "-l", str(HERE / "drive.el"), KATO_RECIPE=str(recipe))
    assert (seen["mode"], seen["ensured"]) == ("markdown-mode", True)
    assert re.fullmatch(r"Kato \d+ MB, 0 recording", seen["status"])
    assert re.fullmatch(r"Kato \d+ MB, 1 recording", seen["after"])
    desk.check_note()
    check_symbols(seen["symbols"])
    assert "You" in seen["hover"]
    assert desk.log.session in seen["hover"]
    assert (seen["lenses"], seen["folds"] > 3) == (3, True)
    assert "unknown notification" not in seen["messages"]


def test_the_settings_for_helix_are_accepted() -> None:
    """The form that the documentation of Helix gives: `[language-server.NAME]` with `command`, `args` and `config`, where `config`
    becomes `initializationOptions`, and `language-servers` of a language.
    """
    (text,) = recipes("Helix", "toml")
    given = tomllib.loads(text)
    server = given["language-server"]["kato"]
    assert set(server) == {"command", "args", "config"}
    assert [server["command"], *server["args"]] == ["kato", "serve"]
    assert resolve(explicit=server["config"], environment={}, file={}).daemon_max_memory_mb == 150
    (language,) = given["language"]
    assert (language["name"], language["language-servers"][-1]) == ("markdown", "kato")


def test_the_settings_for_sublime_text_are_accepted() -> None:
    """The form that the documentation of the LSP package gives: `clients`, each with `enabled`, `command`, `selector` and
    `initializationOptions`.
    """
    (text,) = recipes("Sublime Text (LSP package)", "json")
    server = json.loads(text)["clients"]["kato"]
    assert set(server) == {"enabled", "command", "selector", "initializationOptions"}
    assert server["enabled"] is True
    assert server["command"] == ["kato", "serve"]
    assert server["selector"] == "text.html.markdown"
    options = server["initializationOptions"]
    assert resolve(explicit=options, environment={}, file={}).daemon_max_memory_mb == 150
