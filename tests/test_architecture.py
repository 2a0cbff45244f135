"""The architecture as a test: imports go down, the core is pure, and the documents say what the code says."""

import subprocess
import sys
from pathlib import Path

from kato.core.events import ConversationEvent
from kato.core.settings import TABLE
from kato.lsp import wire

ROOT = Path(__file__).resolve().parents[1]


def test_imports_go_down_and_the_core_is_pure() -> None:
    """The contracts are in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_protocol_document_names_every_method_command_setting_and_kind() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    names = [
        "kato/appendEvents",
        "kato/events",
        "kato/memory",
        "kato/status",
        "kato/readSession",
        "kato/renderSession",
        "kato/destination",
        "kato/documentDirty",
        "kato/statusChanged",
        "kato/commandExecuted",
        *wire.COMMANDS,
        *(key.name for key in TABLE),
        *(key.environment for key in TABLE if key.environment is not None),
        *(kind.__struct_config__.tag for kind in ConversationEvent.__args__),
    ]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_readme_names_every_setting() -> None:
    text = (ROOT / "README.md").read_text()
    assert [key.name for key in TABLE if f"`{key.name}`" not in text] == []
