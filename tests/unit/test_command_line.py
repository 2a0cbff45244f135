"""The command line: help, completions and the man page from one parser, and the values that users type."""

import argparse
import logging
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from kato import __version__
from kato.cli import manual
from kato.cli.capturing import format_of
from kato.cli.commands import completions
from kato.cli.exits import MEANINGS
from kato.cli.main import run
from kato.cli.parser import COMMANDS, Parser, whole
from kato.core.errors import CommandRefused
from kato.system.clock import now_ms

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _keeps_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line prepares its process for a terminal; this is the process of the tests."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(logging, "lastResort", None)


def parsers() -> Iterator[tuple[list[str], Parser]]:
    """Every command and every action of one, with the words that name it."""
    waiting: list[tuple[list[str], Parser]] = [([], whole())]
    while waiting:
        named, parser = waiting.pop(0)
        inner = [([*named, name], one) for name, one in parser.commands.items()]
        yield from inner
        waiting += inner


ALL: Final = {" ".join(named): parser for named, parser in parsers()}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("form", ["{} --help", "help {}", "{} -h"])
def test_help_has_an_imperative_line_a_description_and_an_example(
    name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name.startswith("help") and form != "{} --help":
        return
    assert run(form.format(name).split()) == 0
    usage, summary, description, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith(f"usage: kato {name} ")
    assert re.fullmatch(r"[A-Z][a-z]+ [^.]+\.", summary, re.DOTALL), "one sentence"
    assert not summary.split()[0].endswith("s"), "a verb in the imperative"
    assert description.endswith(".")


@pytest.mark.parametrize("name", ALL)
def test_examples_of_the_help_are_valid_commands(name: str) -> None:
    examples = re.findall(r"^  kato (.*)$", ALL[name].epilog or "", re.MULTILINE)
    assert examples
    for example in examples:
        words = shlex.split(re.split(r" [|>] ", example)[0])
        assert words[0] == name.split(maxsplit=1)[0]
        parsed, left_over = whole().parse_known_args(words)
        assert parsed.run is not None
        assert not left_over or parsed.take_left_over(parsed, left_over), example


@pytest.mark.parametrize("name", ALL)
def test_every_argument_is_described(name: str) -> None:
    assert [action.dest for action in ALL[name].actions if not action.help] == []


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["-h"]])
def test_the_help_lists_every_subcommand_and_every_exit_code(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^    {name} ", shown, re.MULTILINE) for name in COMMANDS)
    assert all(
        re.search(rf"^  {code} +{re.escape(text)}$", shown, re.MULTILINE) for code, text in MEANINGS.items()
    )


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([option]) == 0
    assert capsys.readouterr().out == f"kato {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("sesions", "kato: error: unknown command 'sesions'; did you mean sessions?"),
        ("help captur", "kato help: error: argument COMMAND: invalid value 'captur'; did you mean capture?"),
        ("journal chek", "kato journal: error: unknown command 'chek'; did you mean check?"),
        ("hooks", "kato hooks: error: an action is missing; write one of install, uninstall, status"),
        ("journal", "kato journal: error: an action is missing; write one of check, export"),
        ("mcp unistall", "kato mcp: error: unknown command 'unistall'; did you mean uninstall?"),
        ("sessions --jsno", "kato sessions: error: unknown argument '--jsno' (did you mean --json?)"),
        ("capture --formt=md", "kato capture: error: unknown argument '--formt=md' (did you mean --format?)"),
        ("capture --format htm x", "kato capture: error: argument --format: invalid value 'htm'; did you mean html?"),
        ("search --in usr x", "kato search: error: argument --in: invalid value 'usr'; did you mean user?"),
        ("completions fsh", "kato completions: error: argument SHELL: invalid value 'fsh'; did you mean fish?"),
        ("journal export --outptu x", "kato journal export: error: unknown argument"),
        ("xyzzy", "kato: error: unknown command 'xyzzy'; write one of sessions, search,"),
        ("status surplus", "kato status: error: unknown argument 'surplus'"),
        ("sessions --since someday", "argument --since: invalid moment 'someday'; write for example 3d, '2 weeks ago'"),
        ("search x --since 99:99", "argument --since: invalid moment '99:99'"),
        ("keep --since x", "argument --since: invalid moment 'x'"),
        ("capture --since x", "argument --since: invalid moment 'x'"),
        ("clean --older-than 90", "argument --older-than: invalid moment '90'"),
        ("clean --older-than 2h", "argument --older-than: '2h' is less than a day ago"),
        ("clean --older-than today", "argument --older-than: 'today' is less than a day ago"),
    ],
)  # fmt: skip
def test_a_mistyped_word_gets_a_proposal_and_ends_with_2(
    typed: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(typed)) == 2
    shown = capsys.readouterr().err
    assert error in shown
    assert shown.startswith("usage: kato ")


@pytest.mark.parametrize("text", ["90d", "3 months ago", "2020-01-31", "1d", "last year"])
def test_clean_takes_any_moment_that_is_a_day_ago(text: str) -> None:
    parsed = whole().parse_args(["clean", "--older-than", text])
    assert parsed.older_than <= now_ms() - 86_000_000


def test_one_grammar_of_moments_is_used_by_every_command_that_takes_one() -> None:
    since = {
        name for name, parser in ALL.items() if any("--since" in one.option_strings for one in parser.actions)
    }
    assert since == {"sessions", "search", "capture", "keep"}
    for name in since:
        words = [name, *(["x"] if name == "search" else []), "--since", "2 hours ago"]
        assert abs(now_ms() - whole().parse_args(words).since - 7_200_000) < 60_000


@pytest.mark.parametrize("shell", completions.SHELLS)
def test_completions_name_every_command_and_every_option(shell: str) -> None:
    text = completions.script(whole(), shell)
    for name, parser in ALL.items():
        assert name.split()[-1] in text
        for action in parser.actions:
            if action.help is argparse.SUPPRESS:
                continue
            for option in action.option_strings:
                # fish writes `-l state-dir`, the others the option as it is typed.
                typed = option.lstrip("-") if shell == "fish" else option
                assert typed.replace("=", "\\=") in text or typed in text, option
    for line in ("html", "assistant"):
        assert line in text, "values of options, too"


@pytest.mark.parametrize("shell", completions.SHELLS)
def test_a_shell_accepts_its_completions(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(completions.script(whole(), shell))
    subprocess.run([program, "-n", str(path)], check=True, timeout=30)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("se", {"search", "serve", "sessions"}),
        ("journal ", {"check", "export"}),
        ("sessions --h", {"--help", "--here"}),
        ("capture --format ", {"md", "html", "txt", "jsonl"}),
        ("help com", {"completions"}),
    ],
)
def test_bash_completes_what_is_typed(typed: str, offered: set[str], tmp_path: Path) -> None:
    path = tmp_path / "kato"
    path.write_text(completions.script(whole(), "bash"))
    program = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_shtab_kato kato "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
    command = ["bash", "-c", program, "bash", str(path), "kato", *typed.split(" ")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert {line.strip() for line in done.stdout.splitlines()} == offered


def test_the_man_page_in_the_repository_is_the_parsers() -> None:
    assert (ROOT / "docs" / "kato.1").read_text(encoding="utf-8") == manual.page(whole()), "run `make manual`"


def test_the_man_page_names_every_command_option_and_exit_code() -> None:
    text = manual.page(whole()).replace("\\-", "-")
    for name, parser in ALL.items():
        assert f".SS kato {name}\n" in text
        assert all(
            option in text
            for action in parser.actions
            for option in action.option_strings
            if action.help is not argparse.SUPPRESS and option not in ("-h", "--help")
        )
    assert all(f".B {code}\n" in text for code in MEANINGS)
    assert not re.search(r"^['.](?![A-Z]|nf|fi)", text, re.MULTILINE), "no line is a request by accident"


def test_the_readme_gives_every_exit_code() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{code}` | {meaning} |" in readme for code, meaning in MEANINGS.items())


def test_only_the_subcommand_that_is_used_is_imported() -> None:
    program = """
import sys
from kato.cli.main import run
run(sys.argv[1:])
print(*[name for name in sys.modules if name.startswith("kato.cli.commands.") or name in ("rich", "pygls", "sqlite3")])
"""
    for arguments, expected in ([["--version"], ""], [["serve", "--help"], "kato.cli.commands.serve"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == expected


def test_a_suffix_names_the_format_and_an_unknown_one_is_refused() -> None:
    assert [format_of(f"n{suffix}", None) for suffix in (".md", ".MARKDOWN", ".html", ".txt", ".jsonl")] == [
        "md",
        "md",
        "html",
        "txt",
        "jsonl",
    ]
    with pytest.raises(CommandRefused, match=r"for example Makefile\.html"):
        format_of("Makefile", "html")
    with pytest.raises(CommandRefused, match="give only one"):
        format_of("n.md", "html")
