"""The command line's help, and the values that users type."""

import argparse
import logging
import re
import subprocess
import sys

import pytest

from kato.cli import options
from kato.cli.capturing import format_of
from kato.cli.main import COMMANDS, run
from kato.core.errors import CommandRefused
from kato.system.clock import now_ms


@pytest.fixture(autouse=True)
def _keeps_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line prepares its process for a terminal; this is the process of the tests."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(logging, "lastResort", None)


@pytest.mark.parametrize(
    "arguments", [*([name] for name in COMMANDS), ["journal", "check"], ["journal", "export"]]
)
def test_help_has_an_imperative_line_a_description_and_an_example(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--help"]) == 0
    usage, summary, description, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith(f"usage: kato {' '.join(arguments)} ")
    assert re.fullmatch(r"[A-Z][a-z]+ [^.]+\.", summary, re.DOTALL), "one sentence"
    assert not summary.split()[0].endswith("s"), "a verb in the imperative"
    assert description.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_are_valid_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run([name, "--help"])
    examples = re.findall(r"^  kato (.*)$", capsys.readouterr().out.partition("\nexample")[2], re.MULTILINE)
    assert examples
    for example in examples:
        words = re.split(r" [|>] ", example)[0].split()
        assert words[0] == name
        end = words.index("--") if "--" in words else len(words)  # what follows is another program's command
        assert run([*words[:end], "--help", *words[end:]]) == 0, example


def test_the_help_lists_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^    {name} ", shown, re.MULTILINE) for name in COMMANDS)


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


@pytest.mark.parametrize("text", ["90", "d", "-1d", "0d", "1.5d", "90h"])
def test_days_are_a_positive_number_with_a_unit(text: str) -> None:
    assert options.days("90d") == 90
    with pytest.raises(argparse.ArgumentTypeError, match="invalid number of days"):
        options.days(text)


def test_moments_are_ages_times_of_today_or_dates() -> None:
    now = now_ms()
    assert abs(now - options.moment("2h") - 7_200_000) < 60_000
    assert options.moment("2026-11-24T14:30+00:00") == 1_795_530_600_000
    assert options.moment("2026-11-25") - options.moment("2026-11-24") == pytest.approx(
        86_400_000, abs=3_600_000
    )
    for text in ("soon", "9" * 400 + "d", "25:00", "2026-13-01"):
        with pytest.raises(CommandRefused, match="invalid moment"):
            options.moment(text)


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
