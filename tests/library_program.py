"""A program that uses Kato as a library. mypy checks its types as strictly as Kato's own; tests/unit/test_library.py runs it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import timezone

from typing_extensions import assert_type

import kato


class Notices(kato.Listener):
    """Collects what the engine reports."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def changed(self) -> None: ...

    def executed(self, outcome: kato.CommandOutcome) -> None:
        self.kinds.append(outcome.command)

    def notify(self, notice: kato.Notice) -> None:
        self.kinds.append(notice.kind)


def main(path: str, state_dir: str) -> int:
    log = kato.parse_log(path)
    assert_type(log, kato.ParsedLog)
    assert_type(log.assistant, kato.Assistant)
    assert_type(log.session, kato.SessionInfo)
    assert_type(log.events, list[kato.ConversationEvent])
    assert_type(log.problems, Mapping[kato.Problem, int])
    for event in kato.iter_log(path, log.assistant):
        if isinstance(event, kato.UserMessage):
            assert_type(event.content, str)
    assert_type(kato.ASSISTANTS, tuple[kato.Assistant, ...])
    assert_type(kato.all_assistants(), tuple[kato.Assistant, ...])
    assert_type(kato.__version__, str)

    transcript = kato.Transcript(kato.MarkdownOptions(), timezone.utc)
    assert_type(transcript.feed(log.events[0]), str)

    notices = Notices()
    key = kato.SessionKey(log.assistant.name, log.session.session_id)
    with kato.open_engine(state_dir, listener=notices) as engine:
        assert_type(engine, kato.OpenEngine)
        appended = engine.append(log.events)
        assert_type(appended, kato.Appended)
        assert_type(appended.commands, Sequence[kato.CommandOutcome])
        outcome = engine.run(key, "capture")
        assert_type(outcome, kato.CommandOutcome)
        assert_type(engine.sessions(), list[kato.SessionRecord])
        assert_type(engine.events(key), Iterator[kato.ConversationEvent])
        try:
            engine.events(kato.SessionKey("claude", "unknown"))
        except kato.UnknownSession as error:
            assert_type(error.message, str)
    return 0 if outcome.status == "ok" and notices.kinds == ["capture"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
