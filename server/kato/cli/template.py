"""A new configuration file: every setting with its description, rule and default, as comments."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from msgspec import to_builtins

from kato.core.settings import TABLE, Key

_WIDTH = 100


def text() -> str:
    """The file's text, in which no setting has a value yet."""
    head = (
        "# Settings of Kato. Remove the # before a line to set it. `kato config` shows what is in force.",
        "# An editor's own settings and environment variables come before this file.",
    )
    return "\n".join([*head, *(line for key in TABLE for line in _lines(key))]) + "\n"


def _lines(key: Key) -> Iterator[str]:
    yield ""
    for paragraph in (key.setting.description, f"Rule: {key.rule}."):
        yield from textwrap.wrap(paragraph, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    if key.default is None:
        yield f"# Default: {key.setting.default_in_words}."
        yield f'# {key.name} = "..."'
    else:
        yield f"# {key.name} = {_toml(to_builtins(key.default))}"


def _toml(value: Any) -> str:
    """A default as TOML, which writes these values as JSON does."""
    return json.dumps(value, ensure_ascii=False)
