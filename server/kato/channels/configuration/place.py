"""Where an assistant keeps a configuration file in which Kato registers something."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple


class Machine(NamedTuple):
    """What the places of configuration files depend on. `platform` is `sys.platform`."""

    environment: Mapping[str, str]
    home: Path
    platform: str

    def folder(self, variable: str, *otherwise: str) -> Path:
        """The folder that an environment variable names, else one below the home folder."""
        value = self.environment.get(variable, "").strip()
        return Path(value).expanduser() if value else self.home.joinpath(*otherwise)


class Place(NamedTuple):
    """An assistant's file. `folder` exists where the assistant is used.

    `add` and `remove` make the file's new text of its text; they raise NotUnderstood. `is_own`: the file is Kato's alone and is
    removed as a whole. `advice` is what the user has to do after an installation.
    """

    name: str
    title: str
    folder: Path
    path: Path
    add: Callable[[str], str]
    remove: Callable[[str], str]
    is_own: bool = False
    advice: str = ""
