"""The name under which the conversations of an agent are stored, and the assistants whose logs it may write.

agentInfo of `initialize` ──► "claude-agent-acp"     else the command: `npx @scope/codex-acp` ──► "codex-acp"
"""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

NAME_CHARS_MAX: Final = 32
#: For a command whose words name nothing.
UNNAMED: Final = "acp"

_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9]+")
#: Programs that run the program that their next argument names.
_RUNNERS: Final = frozenset(
    "npx bunx pnpx uvx pipx node bun deno python python3 py env sh bash zsh pnpm yarn npm uv dlx exec run x".split()
)
_SUFFIXES: Final = (".exe", ".cmd", ".bat", ".js", ".mjs", ".cjs", ".py", ".sh")
#: File names that say nothing about the program.
_PLAIN: Final = frozenset({"index", "main", "cli", "dist", "bin", "src", "build"})


def slug(name: str) -> str:
    """A name of lower-case letters, digits and hyphens; "" if nothing is left."""
    base = name.rpartition("/")[2] if name.startswith("@") else name
    return _NOT_IN_A_NAME.sub("-", base.lower()).strip("-")[:NAME_CHARS_MAX].strip("-")


def of_command(command: Sequence[str]) -> str:
    """A name for the program that a command line starts."""
    for word in command:
        if word.startswith("-") or "=" in word:
            continue
        named = _of_word(word)
        if named and named not in _RUNNERS:
            return named
    return UNNAMED


def _of_word(word: str) -> str:
    if word.startswith("@"):
        return slug(re.sub(r"(?<=.)@[^/@]*$", "", word))
    pure = PureWindowsPath(word) if "\\" in word else PurePosixPath(word)
    for part in reversed(pure.parts):
        name = part.lower()
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        named = slug(re.sub(r"(?<=.)@[^@]*$", "", name))
        if named and named not in _PLAIN:
            return named
    return ""


def provider(agent_name: str | None, command: Sequence[str], taken: Collection[str]) -> str:
    """The provider of the agent's sessions. `taken` are the names of assistants whose logs Kato reads: they are the source of
    the sessions with these names.
    """
    name = slug(agent_name or "") or of_command(command)
    return f"{name[: NAME_CHARS_MAX - 4]}-acp" if name in taken else name


def keeper_of_logs(agent_name: str | None, command: Sequence[str], assistants: Sequence[str]) -> str | None:
    """The assistant whose logs an agent writes, by the words of its name and of its command; None if none is named."""
    words = set(f"{slug(agent_name or '')}-{of_command(command)}".split("-"))
    return next((name for name in assistants if name in words), None)
