"""A command in a message that is not proven to be typed is not run; the user is notified of it once."""

from typing import Any

from builders import request, user
from engine.machine import MakeWindow, Window, faulty
from kato.core import limits
from kato.core.notices import Notice

WHY = "the message holds a block <news>, which may not be typed"


def doubtful(content: str, number: int = 0) -> dict[str, Any]:
    return user(content, number, doubt=WHY)


def not_run(window: Window) -> list[Notice]:
    return [notice for notice in window.notices if notice.kind == "command_not_run"]


def test_a_doubtful_line_is_reported_with_its_reason_and_a_remedy(window: MakeWindow) -> None:
    one = window()
    ticket = one.append(doubtful("hello\n  ::capture  notes/x.md\nbye"))
    assert one.ran == []
    assert ticket.answer is not None
    assert (ticket.answer.accepted, ticket.answer.commands) == (1, [])
    (notice,) = not_run(one)
    assert notice.severity == "warning"
    assert notice.message == (
        f"“::capture notes/x.md” was not run: {WHY}. To run it, send the line in a message of its own, or use the editor's "
        "command kato.capture."
    )
    sent = request([doubtful("x")])
    assert notice.data == {
        "provider": sent["provider"],
        "sessionId": sent["sessionId"],
        "eventId": "event-0",
        "line": 2,
        "text": "::capture notes/x.md",
        "command": "capture",
        "reason": WHY,
    }
    assert one.journal.unfinished_claims() == []


def test_each_line_is_reported_once_over_messages_windows_and_restarts(window: MakeWindow) -> None:
    one, two = window("window-1"), window("window-2")
    for _ in range(2):
        for each in (one, two):
            each.append(doubtful("::stop\n::capture x.md"))
    assert [notice.data["line"] for notice in not_run(one) if notice.data] == [1, 2]
    assert not_run(two) == []
    three = window("window-3")
    three.append(doubtful("::stop\n::capture x.md"))
    three.engine.resume()
    assert not_run(three) == []


def test_a_doubtful_line_that_a_process_could_not_report_is_reported_by_the_next(window: MakeWindow) -> None:
    one, two = window("window-1"), window("window-2")
    connection = faulty(one)
    connection.fails = lambda _number, sql, _values: sql.startswith("UPDATE claim SET finished")
    one.append(doubtful("::capture x.md"))
    assert not_run(one) == []
    assert len(one.journal.unfinished_claims()) == 1
    two.alive = {"window-2"}
    two.engine.resume()
    assert (two.ran, len(not_run(two))) == ([], 1)
    assert two.journal.unfinished_claims() == []


def test_history_reports_nothing(window: MakeWindow) -> None:
    one = window()
    one.append(doubtful("::capture x.md"), replay=True)
    assert one.notices == []


def test_text_that_is_not_a_command_is_not_reported(window: MakeWindow) -> None:
    one = window()
    one.append(doubtful("```\n::capture x.md\n```\n::captur x.md\n::recorder\nstd::export it"))
    assert one.notices == []


def test_many_doubtful_lines_give_few_reports(window: MakeWindow) -> None:
    one = window()
    one.append(doubtful("::stop\n" * 20))
    reports = not_run(one)
    assert len(reports) == limits.DOUBTFUL_COMMANDS_MAX
    assert "16 more commands of the message were not run either." in reports[-1].message


def test_typed_messages_around_a_doubtful_one_run(window: MakeWindow) -> None:
    one = window()
    one.append(user("::capture a.md", 0), doubtful("::stop", 1), user("::export b.md", 2))
    assert one.ran == ["capture ok", "export ok"]
