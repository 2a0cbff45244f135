"""Makes an assistant of what it has in common with another one, its parent, and of what is its own."""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from kato.assistants.builder import BaseReader
from kato.assistants.contract import Assistant, LogFile, Reader, Surroundings
from kato.core.actions import ReadArguments

Roots = Callable[[Surroundings], list[str]]
Match = Callable[[Sequence[str]], LogFile | None]
Resume = Callable[[LogFile, str], Sequence[str] | None]
_Make = Callable[[LogFile, Mapping[str, bytes], Surroundings], Reader]


def no_command(log: LogFile, session_id: str) -> None:
    """For an assistant without a command that continues a session."""


def fork(
    parent: Assistant,
    name: str,
    title: str,
    *,
    roots: Roots,
    match: Match | None = None,
    reader: Callable[[LogFile], Reader] | None = None,
    tools: Mapping[str, ReadArguments] | None = None,
    resume: Resume = no_command,
    has_global_ids: bool | None = None,
) -> Assistant:
    """An assistant whose logs are those of `parent`, in places of its own. What is not given is the parent's; `tools` are added
    to the parent's.
    """
    return replace(
        parent,
        name=name,
        title=title,
        roots=roots,
        match=match or parent.match,
        reader=_labelled(_with_companions(reader) if reader else parent.reader, name),
        tools={**parent.tools, **(tools or {})},
        resume=resume,
        has_global_ids=parent.has_global_ids if has_global_ids is None else has_global_ids,
    )


def _with_companions(make: Callable[[LogFile], Reader]) -> _Make:
    def make_whole(log: LogFile, companions: Mapping[str, bytes], _: Surroundings) -> Reader:
        reader = make(log)
        reader.take_companions(companions)
        return reader

    return make_whole


def _labelled(make: _Make, name: str) -> _Make:
    """A function that makes the same readers; their events name the fork."""

    def make_labelled(log: LogFile, companions: Mapping[str, bytes], place: Surroundings) -> Reader:
        reader = make(log, companions, place)
        assert isinstance(reader, BaseReader)
        reader.provider = name
        return reader

    return make_labelled


# --- What declarations consist of ------------------------------------------------------------------------


def command(*words: str) -> Resume:
    """The command line that continues a session: these words, and the session's id."""
    return lambda _, session_id: (*words, session_id)


def projects_in(folder: str, moved_by: str = "") -> Roots:
    """The root `projects` in a folder of the user's home, which an environment variable may replace."""
    return lambda place: [place.path(place.variable(moved_by, folder), "projects")]


def with_file(match: Match, ending: str, *, is_log: Callable[[str], bool] = lambda _: True) -> Match:
    """The same logs, each session with a companion that has its name and this ending: its title and its folder. `is_log` says
    which file names belong to logs.
    """

    def match_with_file(parts: Sequence[str]) -> LogFile | None:
        log = match(parts) if is_log(parts[-1]) else None
        if log is None or log.parent_id is not None:
            return log
        path = "/".join(parts).removesuffix(".jsonl")
        return replace(log, companions=(*log.companions, f"{path}{ending}"))

    return match_with_file
