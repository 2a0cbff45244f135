"""`kato acp`: what an editor runs in place of an agent. `channels.acp.entry` is the same without this module, for a fast start."""

import argparse
import os
from functools import partial

from kato.channels.acp import entry
from kato.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Your editor runs this command in place of an agent that speaks the Agent Client Protocol (ACP). It starts the agent, passes "
        "every byte on unchanged, and records the conversation: :: commands in your prompts work, and the editor shows what became "
        "of them. No other Kato has to run. docs/editors.md has recipes for Zed, JetBrains and Neovim.",
        "kato acp -- gemini --acp",
        "kato acp -- npx -y @agentclientprotocol/codex-acp",
    )
    parser.usage = "kato acp [-h] [--state-dir FOLDER] -- AGENT [ARGUMENT ...]"
    options.add_state_dir(parser)
    parser.add_argument("--observe", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "agent",
        nargs="+",
        metavar="AGENT",
        help="the command that starts the agent, with its arguments, behind --",
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs the agent until it ends; its exit code. With `--observe`, the other process of it (`channels.acp.observer`)."""
    if not arguments.observe:
        return entry.run(entry.Started(arguments.agent, arguments.state_dir))
    from kato.channels.acp import observer  # noqa: PLC0415 - see the module

    return observer.run(arguments.agent, partial(options.settings, arguments), os.environ)
