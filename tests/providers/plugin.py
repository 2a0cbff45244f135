"""Installs packages that add assistants, for tests: a module and the metadata of an installed package, in a folder."""

from collections.abc import Mapping
from pathlib import Path

MODULE = """
from collections.abc import Mapping, Sequence

from kato.assistants.contract import CONTRACT_VERSION, Assistant, Json, LogFile, Surroundings
from kato.assistants.readers import LinesReader


class Reader(LinesReader):
    provider = "{name}"

    def _record(self, record: Json) -> None:
        self.emit_user(record["id"], None, "said", record["said"])

    def _again(self) -> None:
        pass


def roots(place: Surroundings) -> list[str]:
    return [place.path(place.home, ".{name}")]


def match(parts: Sequence[str]) -> LogFile | None:
    return LogFile(parts[0].removesuffix(".log")) if len(parts) == 1 and parts[0].endswith(".log") else None


def reader(log: LogFile, companions: Mapping[str, bytes], place: Surroundings) -> Reader:
    return Reader(log)


ASSISTANT = Assistant("{name}", "An Example", roots, match, lambda parts: False, reader, contract=CONTRACT_VERSION)
"""


def install(folder: Path, name: str, source: str = MODULE, *, package: str = "") -> None:
    """Makes a package that is found once the folder is on `sys.path`: an entry point `name`, for `ASSISTANT` in the source
    (in which `{name}` stands for the name).
    """
    module = f"kato_{name.replace('-', '_')}"
    package = package or module.replace("_", "-")
    (folder / f"{module}.py").write_text(source.replace("{name}", name))
    install_metadata(folder, package, {name: f"{module}:ASSISTANT"})


def install_metadata(folder: Path, package: str, entry_points: Mapping[str, str]) -> None:
    """Makes what an installer writes down of a package: its name and its entry points."""
    metadata = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}\n" for name, value in entry_points.items()]
    (metadata / "entry_points.txt").write_text("[kato.assistants]\n" + "".join(lines))
