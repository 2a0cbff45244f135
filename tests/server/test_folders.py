"""Folders whose names hold what URIs escape: notes land in them, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from builders import request, user
from conftest import Start
from kato.cli.client import Client

pytestmark = pytest.mark.usefixtures("deadline")
NAMES = [
    "C#",
    "#scratch",
    "100%",
    "100%25",
    "a?b",
    "%41",
    "with space",
    "日本",
    "Cafe\u0301",
    "a;b&c=d",
    "[x]",
    "plus+",
]


def opened(start: Start, tmp_path: Path, **params: Any) -> Client:
    client = start(initialize=False)
    given = {
        "processId": None,
        "rootUri": None,
        "capabilities": {},
        "initializationOptions": {"stateDir": str(tmp_path / "state")},
    }
    client.request("initialize", given | params)
    client.notify("initialized", {})
    return client


def capture(client: Client, folder: Path, number: int = 0) -> dict[str, Any]:
    said = user(f"words {number}\n::capture notes/n{number}.md", number)
    (outcome,) = client.request("kato/appendEvents", request([said], cwd=str(folder)))["commands"]
    assert isinstance(outcome, dict)
    return outcome


def is_written(client: Client, folder: Path, number: int = 0) -> bool:
    outcome = capture(client, folder, number)
    note = folder / "notes" / f"n{number}.md"
    assert (outcome["status"] == "ok") == note.exists(), outcome
    return note.exists()


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / "outer" / str(request.param) / "app"
    made.mkdir(parents=True)
    return made


def test_a_note_lands_in_a_workspace_folder_of_any_name(start: Start, tmp_path: Path, folder: Path) -> None:
    for number, place in enumerate((folder, folder.parent)):
        client = opened(start, tmp_path, workspaceFolders=[{"uri": place.as_uri(), "name": "x"}])
        assert is_written(client, place, number)
        assert not is_written(client, place.parent, number + 10), "the folder above is not open"
        client.close()


def test_a_note_lands_in_a_root_of_any_name(start: Start, tmp_path: Path, folder: Path) -> None:
    client = opened(start, tmp_path, rootUri=folder.as_uri())
    assert is_written(client, folder)
    assert not is_written(client, folder.parent, 10)
    client.close()
    client = opened(start, tmp_path, rootPath=str(folder))
    assert is_written(client, folder, 1)


def test_folders_of_any_name_are_added_and_removed(start: Start, tmp_path: Path, folder: Path) -> None:
    client = opened(start, tmp_path, workspaceFolders=[])
    one = {"uri": folder.as_uri(), "name": "x"}

    def change(**event: Any) -> None:
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": []} | event})

    assert not is_written(client, folder, 0)
    change(added=[one])
    assert is_written(client, folder, 1)
    change(removed=[one])
    assert not is_written(client, folder, 2)


def test_a_name_that_looks_escaped_is_not_the_name_that_it_would_be(start: Start, tmp_path: Path) -> None:
    for name in ("%41", "A"):
        (tmp_path / name).mkdir()
    client = opened(start, tmp_path, workspaceFolders=[{"uri": (tmp_path / "%41").as_uri(), "name": "x"}])
    assert is_written(client, tmp_path / "%41")
    assert not is_written(client, tmp_path / "A", 1)


@pytest.mark.parametrize("name", ["C#", "#scratch", "a?b"])
def test_a_uri_without_escapes_opens_no_folder_above(start: Start, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "outer" / name / "app"
    folder.mkdir(parents=True)
    client = opened(start, tmp_path, workspaceFolders=[{"uri": f"file://{folder}", "name": "x"}])
    assert is_written(client, folder)
    assert not is_written(client, tmp_path / "outer", 1)


def test_the_editor_is_asked_to_watch_a_root_of_any_name(start: Start, tmp_path: Path, folder: Path) -> None:
    watched = {"dynamicRegistration": True, "relativePatternSupport": True}
    options = {"stateDir": str(tmp_path / "state"), "providerSessionRoots": {"claude": [str(folder)]}}
    client = opened(
        start,
        tmp_path,
        capabilities={"workspace": {"didChangeWatchedFiles": watched}},
        initializationOptions=options,
    )
    client.request("kato/memory")
    asked = next(one for one in client.notifications if one["method"] == "client/registerCapability")
    (registration,) = asked["params"]["registrations"]
    bases = [one["globPattern"]["baseUri"] for one in registration["registerOptions"]["watchers"]]
    assert folder.as_uri() in bases
