"""Pictures of a conversation: kept in the state folder, referred to by a placeholder, linked in notes."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.core import limits, pictures
from kato.storage.pictures import PictureStore

PNG = base64.b64encode(b"\x89PNG and more").decode()
NAME = "0123456789abcdef.png"


@pytest.fixture
def store(tmp_path: Path) -> PictureStore:
    return PictureStore(tmp_path)


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.glob("pictures/*"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"look [image: image/png, 3 kB, {NAME}] here", f"look ![image](n.images/{NAME}) here"),
        (f"[image: image/png, 3 kB, {NAME}][image: x, {NAME}]", f"![image](n.images/{NAME})" * 2),
        ("[image: image/png, 3 kB]", None),
        ("[image: image/png, ffffffffffffffff.png]", None),
        (f"[image: image/png,\n3 kB, {NAME}]", None),
        ("[image: image/png, 3 kB, ../../../etc/passwd]", None),
        ("[image: image/png, 3 kB, 0123456789abcdef.png.sh]", None),
        (f"[document: {NAME}]", None),
    ],
)
def test_a_reference_to_a_picture_that_is_there_becomes_a_link(text: str, shown: str | None) -> None:
    assert pictures.linked(text, {NAME: f"n.images/{NAME}"}.get) == (text if shown is None else shown)


@given(st.text())
def test_a_text_without_references_stays(text: str) -> None:
    assert pictures.linked(text, lambda _: None) == text


def test_a_picture_is_kept_once_and_named_by_its_bytes(store: PictureStore, tmp_path: Path) -> None:
    first, second = store.save("image/png", PNG), store.save("image/png", PNG)
    [name] = files(tmp_path)
    assert first == second == f"[image: image/png, 1 kB, {name}]"
    assert store.read(name) == base64.b64decode(PNG)
    assert pictures.linked(first, lambda one: f"x/{one}") == f"![image](x/{name})"
    assert pictures.names_in(first.encode()) == {name}


@pytest.mark.parametrize(
    ("media", "encoded", "shown"),
    [
        ("image/png", "not base64", "[image: image/png]"),
        ("image/png", "", None),
        ("text/html", PNG, "[image: text/html]"),
        ("image/png]\n::capture x.md", PNG, "[image: image/png]"),
    ],
)
def test_what_is_not_a_picture_is_a_placeholder_in_one_line(
    store: PictureStore, media: str, encoded: str, shown: str | None
) -> None:
    text = store.save(media, encoded)
    assert "\n" not in text
    if shown is not None:
        assert text.startswith(shown[:-1])


def test_beyond_the_bounds_pictures_are_placeholders(
    store: PictureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PICTURES_BYTES_MAX", 20)
    assert store.save("image/png", PNG) != "[image: image/png]"
    other = base64.b64encode(b"another picture").decode()
    assert store.save("image/png", other) == "[image: image/png]"
    assert PictureStore(tmp_path).save("image/png", other) == "[image: image/png]"
    monkeypatch.setattr(limits, "PICTURE_BYTES_MAX", 10)
    assert store.save("image/gif", PNG) == "[image: image/gif]"
    assert len(files(tmp_path)) == 1


def test_a_folder_that_cannot_be_written_costs_only_the_picture(store: PictureStore, tmp_path: Path) -> None:
    (tmp_path / "pictures").touch()
    assert store.save("image/png", PNG) == "[image: image/png]"


def test_a_write_that_fails_leaves_nothing(
    store: PictureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert store.save("image/png", PNG) == "[image: image/png]"
    assert files(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_the_place_of_a_picture_is_not_read(store: PictureStore, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    os.mkfifo(tmp_path / "pictures" / NAME)
    assert store.read(NAME) is None


def test_pictures_that_nothing_refers_to_are_removed_unless_they_are_new(
    store: PictureStore, tmp_path: Path
) -> None:
    store.save("image/png", PNG)
    [used] = files(tmp_path)
    store.save("image/gif", PNG)
    store.save("image/webp", PNG)
    [old] = [name for name in files(tmp_path) if name.endswith(".gif")]
    os.utime(tmp_path / "pictures" / old, (1000, 1000))
    os.utime(tmp_path / "pictures" / used, (1000, 1000))
    assert store.remove_unused({used}, before=2000) == []
    assert old not in files(tmp_path)
    assert len(files(tmp_path)) == 2
