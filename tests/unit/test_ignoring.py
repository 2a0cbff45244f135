"""`.katoignore`: for which folders it counts, and how seldom the file system is asked."""

import os
from pathlib import Path

import pytest

from kato.core import limits
from kato.system.ignoring import FILE_NAME, IgnoredFolders


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "work" / "project" / "src").mkdir(parents=True)
    return folder


def folders(home: Path) -> IgnoredFolders:
    return IgnoredFolders(str(home), Clock())


@pytest.mark.parametrize("place", ["work/project/src", "work/project", "work", "."])
def test_a_file_in_the_folder_or_above_it_up_to_the_home_counts(home: Path, place: str) -> None:
    file = home / place / FILE_NAME
    file.touch()
    assert folders(home)(str(home / "work/project/src")) == str(Path(os.path.normpath(file)))


def test_a_file_in_another_folder_below_or_above_the_home_does_not_count(home: Path) -> None:
    (home / "work" / "other").mkdir()
    for place in ("work/other", "work/project/src", ".."):
        (home / place / FILE_NAME).touch()
    assert folders(home)(str(home / "work/project")) is None


def test_outside_of_the_home_the_root_is_the_end(home: Path, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    (tmp_path / "mnt" / "data").mkdir(parents=True)
    assert folders(home)(str(tmp_path / "mnt/data")) == str(tmp_path / FILE_NAME)


def test_a_folder_behind_a_link_is_ignored_by_either_path(home: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "deep").mkdir(parents=True)
    link = home / "link"
    link.symlink_to(real)
    assert folders(home)(str(link / "deep")) is None
    (real / FILE_NAME).touch()
    assert folders(home)(str(link / "deep")) is not None
    (real / FILE_NAME).unlink()
    (home / FILE_NAME).touch()
    assert folders(home)(str(link / "deep")) == str(home / FILE_NAME)


def test_a_link_that_leads_nowhere_counts_as_the_file(home: Path) -> None:
    (home / "work" / FILE_NAME).symlink_to(home / "gone")
    assert folders(home)(str(home / "work/project")) is not None


@pytest.mark.parametrize(
    "cwd", [None, "", "relative/folder", "/gone/for/long", "/nul\0/x", "C:\\x", "/\udcff"]
)
def test_what_cannot_be_looked_at_is_not_ignored(home: Path, cwd: str | None) -> None:
    assert folders(home)(cwd) is None


def test_a_folder_that_may_not_be_read_breaks_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "lstat", refused)
    assert folders(home)(str(home / "work")) is None


def test_a_file_that_comes_or_goes_is_noticed_in_time_and_the_disk_is_asked_once_until_then(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    lstat = os.lstat

    def counted(path: str) -> os.stat_result:
        if str(path).endswith(FILE_NAME):
            looks.append(path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", counted)
    clock = Clock()
    found = IgnoredFolders(str(home), clock)
    src = home / "work/project/src"
    for number in range(1000):
        found(str(src / str(number)))
    assert len(looks) == 1000 + 4, "each folder above is looked at once"
    for _ in range(1000):
        assert found(str(src)) is None
    assert len(looks) == 1000 + 4
    (home / FILE_NAME).touch()
    clock.seconds = limits.IGNORE_SECONDS
    assert found(str(src)) is not None
    (home / FILE_NAME).unlink()
    clock.seconds *= 2
    assert found(str(src)) is None
