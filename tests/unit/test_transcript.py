"""The transcript's rules, one at a time."""

from zoneinfo import ZoneInfo

import orjson
import pytest

from builders import Json, assistant, decision, info, struct, system, thinking, tool_call, tool_result, user
from conftest import SHARED
from kato.core.events import BOUNDARY_SUBTYPES, decode_line
from kato.notes.options import MarkdownOptions
from kato.notes.transcript import Transcript

UTC = ZoneInfo("UTC")
SAMPLE = SHARED / "samples" / "first-capture"
T0 = "2026-02-25_0613_20"
ALL = MarkdownOptions(include_thinking=True, tool_calls="full", include_system_events=True)


def render(*events: Json, options: MarkdownOptions | None = None) -> str:
    transcript = Transcript(options or MarkdownOptions(), UTC)
    return "".join(transcript.feed(struct(one)) for one in events)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the samples are not here")
def test_the_reference_comes_out_byte_for_byte() -> None:
    lines = (SAMPLE / "events.jsonl").read_bytes().splitlines()
    transcript = Transcript(MarkdownOptions(), ZoneInfo("America/Los_Angeles"))
    body = "".join(transcript.feed(decode_line(line)) for line in lines)
    assert body == (SAMPLE / "expected.md").read_text().split("---\n\n", 1)[1]
    assert transcript.speakers == ("User", "gemini-3-pro-preview")


def test_a_run_of_one_speaker_has_one_heading() -> None:
    text = render(
        user("one"), user("two", 1), assistant("three", 2, model="m"), assistant("four", 3, model="m")
    )
    assert text == f"# User_{T0}\n\none\n\ntwo\n\n# m_2026-02-25_0613_22\n\nthree\n\nfour\n"


def test_an_assistant_without_a_model_is_called_assistant_and_a_change_of_model_is_a_new_run() -> None:
    text = render(assistant("a"), assistant("b", 1, model="m"), assistant("c", 2, model="n"))
    assert [line.rpartition("_2026")[0] for line in text.splitlines() if line.startswith("#")] == [
        "# Assistant",
        "# m",
        "# n",
    ]


def test_times_are_in_the_zone_that_is_asked_for() -> None:
    transcript = Transcript(MarkdownOptions(), ZoneInfo("Asia/Tokyo"))
    assert transcript.feed(struct(user("x"))).startswith("# User_2026-02-25_1513_20\n")


def test_text_is_verbatim() -> None:
    content = "  indented  \n\n\n```py\n\n\n# x\nx = 1  \n<b>```\n\n```\n`<b>` a < b && c <- d\n\t#no heading\n&amp;\ttab"
    assert render(user(content)) == f"# User_{T0}\n\n{content}\n"
    content += "\n\n## Summary\n\nYes:\n===\n\n<b>bold</b>"
    assert render(assistant(content)) == f"# Assistant_{T0}\n\n{content}\n"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("# User_forged", r"\# User_forged"),
        ("  ###### deep", r"  \###### deep"),
        ("#hashtag", "#hashtag"),
        ("a title\n===", "a title\n\\==="),
        ("a title\n  ---", "a title\n  \\---"),
        ("a\n\n---\n\nb", "a\n\n---\n\nb"),
        (
            "> # in a quote\n- # in a list\n-\t# after a tab",
            "> \\# in a quote\n- \\# in a list\n-\t\\# after a tab",
        ),
        ("    # code\n\n```\n# code\n<b>\n```", None),
        ("why does <div> not close?", r"why does \<div> not close?"),
        ("<details>\n<summary>x</summary>", "\\<details>\n\\<summary>x\\</summary>"),
        ("<!-- note -->", r"\<!-- note -->"),
        ("<?php\n\n# not a comment", "\\<?php\n\n\\# not a comment"),
        ("`<b>` and ``a ` <b>`` but <b>", r"`<b>` and ``a ` <b>`` but \<b>"),
        (r"\<b> \\<b> \`<b>`", r"\<b> \\\<b> \`\<b>`"),
        ("a `span\nover <b> lines`", None),
        ("<https://example.org> <me@example.org>", None),
        ("a <b c <d and 1 < 2 <3", None),
    ],
)
def test_what_the_user_typed_is_shown_as_typed(typed: str, shown: str | None) -> None:
    assert render(user(typed)) == f"# User_{T0}\n\n{typed if shown is None else shown}\n"


def test_line_ends_are_newlines_and_trailing_ones_are_trimmed() -> None:
    assert render(user("a\r\nb\rc\n\n\n")) == f"# User_{T0}\n\na\nb\nc\n"


@pytest.mark.parametrize("content", ["", " ", "\n\n"])
def test_an_empty_message_leaves_no_trace(content: str) -> None:
    assert render(user("a"), assistant(content, 1), user("b", 2)) == f"# User_{T0}\n\na\n\nb\n"


@pytest.mark.parametrize(
    ("content", "closing"),
    [
        ("```\ncode", "```"),
        ("````md\n```\nx\n```", "````"),
        ("~~~\n```", "~~~"),
        ("text\n   ```js\nx", "```"),
        ("```\na\n```\n```\nb", "```"),
        ("- item\n\n```\nx", "```"),
    ],
)
def test_a_fence_that_is_left_open_is_closed(content: str, closing: str) -> None:
    assert render(user(content)) == f"# User_{T0}\n\n{content}\n{closing}\n"


@pytest.mark.parametrize(
    ("content", "closing"),
    [
        ("<!-- a comment", "-->"),
        ("<?php echo 1;", "?>"),
        ("<![CDATA[ x", "]]>"),
        ("<!DOCTYPE html", ">"),
        ("<script>\nx", "</script>\n</script>"),
        ("<PRE>\n\nx", "</pre>\n</pre>"),
        ("- <!-- in a list", "  -->"),
        ("> <!-- in a quote", "> -->"),
        ("> <!-- in a quote\n\ntext", "<!-- -->"),
        ("<div><!-- in a block\n\ntext", "<!-- -->\n</div>"),
        ("<details><script></details>", "</script></details>"),
        ("1. > <?php", "   > ?>"),
        ("<details>\n<summary>x</summary>\n\ntext", "</details>"),
        ("<details>\n\n<div><b>x", "</b></div></details>"),
        ("text with <b>bold", "</b>"),
        ("<div class=", ">\n</div>"),
        ("<details>\n\n```\ncode", "```\n</details>"),
    ],
)
def test_html_that_is_left_open_is_closed(content: str, closing: str) -> None:
    assert render(assistant(content)) == f"# Assistant_{T0}\n\n{content}\n{closing}\n"


@pytest.mark.parametrize(
    "content",
    [
        "- item\n  ```\n  code",  # the fence ends with the item
        "> ```\n> code",
        "</details>\n```",  # no fence: the line before begins an HTML block
        "`<details>` is a tag",
        "```\n<details>\n```",
        "<details>\n\nx\n\n</details>",
        "Vec<String> and <T>",
        "<p>one<li>two<br>three",
        "a <!-- b",
    ],
)
def test_what_ends_by_itself_gets_no_end(content: str) -> None:
    assert render(assistant(content)) == f"# Assistant_{T0}\n\n{content}\n"


@pytest.mark.parametrize("content", ["```\na\n```", "`inline`", "a ``` b", "~~~\na\n~~~~", "``` a`b"])
def test_a_fence_that_is_closed_stays_as_it_is(content: str) -> None:
    assert render(user(content)) == f"# User_{T0}\n\n{content}\n"


def test_what_is_switched_off_leaves_no_trace_not_even_a_heading() -> None:
    hidden = [thinking("hm", 1), tool_call("Bash", 2), tool_result("out", 3), system("s", 4), info("i", 5)]
    assert render(assistant("a", model="m"), *hidden, assistant("b", 6, model="m")) == f"# m_{T0}\n\na\n\nb\n"


def test_commentary_that_repeats_the_final_message_is_written_once() -> None:
    said = [assistant("done", 1, phase="commentary"), assistant("done", 2, phase="final")]
    assert render(user("go"), *said).count("done") == 1
    assert render(user("go"), *reversed(said)).count("done") == 1
    assert (
        render(user("go"), said[0], user("again", 2), assistant("done", 3, phase="final")).count("done") == 2
    )
    assert render(user("go"), *[assistant("ok", n, phase="commentary") for n in (1, 2)]).count("ok") == 2


def test_commentary_can_be_switched_off() -> None:
    options = MarkdownOptions(include_commentary=False)
    text = render(
        assistant("thinking aloud", phase="commentary"), assistant("done", 1, phase="final"), options=options
    )
    assert "aloud" not in text
    assert "done" in text


def test_a_call_and_its_result_are_one_block() -> None:
    text = render(
        assistant("look", model="m"),
        tool_call(
            "Bash", 1, description="List <files>", input={"command": "ls", "description": "List <files>"}
        ),
        tool_result("a\nb", 2),
        assistant("done", 3, model="m"),
        options=ALL,
    )
    assert text == (
        f"# m_{T0}\n\nlook\n\n"
        "<details>\n<summary>List &lt;files&gt;</summary>\n\n```console\n$ ls\na\nb\n```\n\n</details>\n\n"
        "done\n"
    )


def test_calls_are_shown_in_their_order_each_with_its_own_result() -> None:
    text = render(
        tool_call("Bash", 1, call="a", input={"command": "first"}),
        tool_call("Bash", 2, call="b", input={"command": "second"}),
        tool_result("of the second", 3, call="b"),
        tool_result("of the first", 4, call="a"),
        assistant("done", 5),
        options=ALL,
    )
    assert [line for line in text.splitlines() if line.startswith(("$", "of", "done"))] == [
        "$ first",
        "of the first",
        "$ second",
        "of the second",
        "done",
    ]


def test_calls_that_have_the_same_id_stay_two_calls_whichever_process_shows_them() -> None:
    calls = [
        tool_call(name, number, call="a", input={"x": name}) for number, name in enumerate(("one", "two"))
    ]
    first = Transcript(ALL, UTC)
    assert [first.feed(struct(call)) for call in calls] == ["", ""]
    other = Transcript(ALL, UTC, first.state)
    said = struct(user("go on", 3))
    text = first.feed(said)
    assert other.feed(said) == text
    assert text.index("<summary>one</summary>") < text.index("<summary>two</summary>")


def test_no_result_can_end_its_block() -> None:
    text = render(tool_result("````\n</details>\n```"), options=ALL)
    assert "`````\n````\n</details>\n```\n`````" in text


def test_a_result_that_comes_after_the_users_next_words_is_shown_with_what_its_call_did() -> None:
    call = tool_call("Bash", input={"command": "sleep 9"})
    text = render(call, user("meanwhile", 1), tool_result("late", 2), options=ALL)
    assert (
        text.index("$ sleep 9")
        < text.index("meanwhile")
        < text.index("<summary>Result: Ran sleep 9</summary>")
    )
    assert "Result: call-9" in render(tool_result("x", call="call-9"), options=ALL)


def test_large_arguments_do_not_wait_for_the_result() -> None:
    transcript = Transcript(ALL, UTC)
    call = tool_call("Write", input={"file_path": "x.txt", "content": "line\n" * 50_000})
    assert "Created x.txt (+50,000)" in transcript.feed(struct(call))
    assert len(transcript.state) < 1000


def test_a_turn_ends_with_one_block_of_what_was_done() -> None:
    turn = [
        user("fix it"),
        assistant("Now let me look.", 1, model="m", phase="commentary"),
        tool_call("Read", 2, call="a", input={"file_path": "/w/a.py"}),
        tool_result("text", 3, call="a"),
        tool_call("Bash", 4, call="b", input={"command": "pytest -q"}),
        tool_result("failed", 5, call="b", outcome="error", exitCode=1),
        assistant("It is fixed.", 6, model="m", phase="final"),
    ]
    block = (
        "<details>\n<summary>Read 1 file, ran 1 command (1 failed)</summary>\n\n"
        "- Read `a.py`\n- Ran `pytest -q` (exit 1)\n\n</details>\n"
    )
    transcript = Transcript(MarkdownOptions(), UTC, folder="/w")
    text = "".join(transcript.feed(struct(one)) for one in turn)
    assert text.endswith(f"It is fixed.\n\n{block}")
    assert transcript.finish() == ""


@pytest.mark.parametrize("ends", [[user("thanks", 9)], [assistant("done", 9, phase="final")], []])
def test_a_turn_ends_with_the_final_message_the_users_next_words_or_the_conversation(
    ends: list[Json],
) -> None:
    transcript = Transcript(MarkdownOptions(), UTC)
    call = tool_call("Bash", 1, input={"command": "ls"})
    pieces = [transcript.feed(struct(one)) for one in (user("go"), call, assistant("working", 2), *ends)]
    text = "".join(pieces) + transcript.finish()
    assert text.count("<summary>Ran 1 command</summary>") == 1
    assert text.index("working") < text.index("Ran 1 command")
    if ends and ends[0]["kind"] == "message.user":
        assert text.index("Ran 1 command") < text.index("thanks")


def test_a_turn_without_tool_calls_has_no_block_and_hidden_calls_have_none() -> None:
    assert "<details>" not in render(user("hi"), assistant("hello", 1, phase="final"))
    call = tool_call("Bash", 1, input={"command": "ls"})
    hidden = render(
        user("hi"), call, assistant("done", 2, phase="final"), options=MarkdownOptions(tool_calls="hidden")
    )
    assert hidden == render(user("hi"), assistant("done", 2, phase="final"))


def test_a_call_gives_the_run_of_a_turn_that_begins_with_it_the_models_name() -> None:
    events = [user("go"), tool_call("Bash", 1, input={"command": "ls"}, model="opus"), tool_result("x", 2)]
    for options in (ALL, MarkdownOptions()):
        for more in ([assistant("done", 3, model="opus")], [user("and now?", 3)]):
            text = render(*events, *more, options=options)
            names = [line.partition("_")[0] for line in text.splitlines() if line.startswith("# ")]
            assert names[:2] == ["# User", "# opus"]
            assert "# Assistant" not in names


def test_a_thought_gives_the_run_of_a_turn_that_begins_with_it_the_models_name() -> None:
    text = render(
        user("go"), thinking("hm", 1, model="opus"), assistant("done", 2, model="opus"), options=ALL
    )
    assert [line.partition("_")[0] for line in text.splitlines() if line.startswith("# ")] == [
        "# User",
        "# opus",
    ]


def test_the_models_that_acted_are_facts_as_are_those_that_spoke() -> None:
    transcript = Transcript(MarkdownOptions(), UTC)
    for one in (assistant("a", model="opus"), tool_call("Bash", 1, model="haiku"), assistant("b", 2)):
        transcript.feed(struct(one))
    assert list(transcript.facts.models) == ["opus", "haiku"]


@pytest.mark.parametrize(
    ("subtype", "is_before"), [("interruption", True), ("rewind", True), ("compaction", False)]
)
def test_what_was_done_before_an_interruption_is_said_before_it(subtype: str, is_before: bool) -> None:
    call = tool_call("Bash", 1, input={"command": "make"}, model="opus")
    text = render(user("go"), call, info("It stopped.", 2, subtype=subtype), user("so?", 3))
    assert (text.index("- Ran `make`") < text.index("*It stopped.*")) is is_before


def test_a_tool_that_kato_does_not_know_is_described_by_its_event() -> None:
    call = tool_call("lookUp", 1, input={"id": 7}, description="Looked up 7")
    assert "- Used `lookUp`: `Looked up 7`\n" in render(call, user("ok", 2))
    assert "<summary>lookUp: Looked up 7</summary>" in render(call, tool_result("x", 2), options=ALL)


def test_readable_headings_give_an_outline() -> None:
    options = MarkdownOptions(heading_style="readable")
    text = render(
        user("please fix *this*\nand that"),
        assistant("ok", 1, model="opus"),
        user("next day", 86_400),
        options=options,
    )
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        r"## You, 2026-02-25 06:13: please fix \*this\* and that",
        "### opus, 06:13",
        "## You, 2026-02-26 06:13: next day",
    ]


def test_a_block_is_never_in_the_users_run() -> None:
    text = render(user("go"), thinking("hm", 1), assistant("ok", 2), options=ALL)
    headings = [line for line in text.splitlines() if line.startswith("# ")]
    assert headings == [f"# User_{T0}", "# Assistant_2026-02-25_0613_21"]


def test_system_messages_and_provider_infos_are_shown_on_request() -> None:
    text = render(system("compacted"), info("unknown", 1), options=ALL)
    assert text.count("# System_") == 2, "another kind is another run"


def test_a_decision_shows_what_was_asked_offered_and_chosen() -> None:
    text = render(
        decision(
            "Keep it in memory",
            metadata={
                "header": "Index",
                "question": "Where?",
                "options": [{"label": "Memory", "description": "fast"}, {"label": "Disk"}],
                "answer": "Memory",
            },
        )
    )
    assert text == (
        "> **Decision** (accepted by user): Keep it in memory\n>\n> Index: Where?\n>\n"
        "> - [x] Memory – fast\n> - [ ] Disk\n"
    )
    own = render(decision("s", metadata={"options": ["A"], "answer": ["A", "my own\nwords"]}))
    assert "> - [x] A\n>\n> Answer: my own words\n" in own
    assert render(decision("s", metadata={"options": 5, "answer": {}, "question": []})).count("\n") == 1


def test_a_decision_shows_the_users_notes_and_the_plan_that_was_decided() -> None:
    noted = render(decision("A", metadata={"question": "Which?", "answer": "A", "notes": "but\nsoon"}))
    assert noted.endswith("> Which?\n>\n> Answer: A\n>\n> Notes: but soon\n")
    plan = "\n# Plan\n\n1. ```\n   make\n<!-- open\n"
    assert render(decision("Plan", status="rejected", metadata={"plan": plan})) == (
        "> **Decision** (rejected by user): Plan\n>\n> # Plan\n>\n> 1. ```\n>    make\n> <!-- open\n> -->\n"
    )


def test_italics_are_per_line_of_prose() -> None:
    options = MarkdownOptions(italicize_user_messages=True)
    content = "some words\n\n- item\n> quote\n# head\n    code\n```\nx\n```\na *b* c\n  more  \n::stop"
    assert render(user(content), options=options).split("\n\n", 1)[1] == (
        "*some words*\n\n- item\n> quote\n\\# head\n    code\n```\nx\n```\na *b* c\n  *more*  \n::stop\n"
    )


def test_a_message_cut_at_lines_gives_the_text_of_the_whole() -> None:
    event = struct(user("one\n::capture x\n\nthree\n::stop\nfive"))
    whole = Transcript(MarkdownOptions(), UTC).feed(event)
    transcript = Transcript(MarkdownOptions(), UTC)
    first = transcript.feed(event, through_line=2)
    transcript = Transcript(MarkdownOptions(), UTC, transcript.state)
    second = transcript.feed(event, after_line=2, through_line=5)
    third = Transcript(MarkdownOptions(), UTC, transcript.state).feed(event, after_line=5)
    assert first == f"# User_{T0}\n\none\n::capture x\n"
    assert second == "\nthree\n::stop\n"
    assert first + second + third == whole


def test_a_rest_that_is_blank_adds_nothing() -> None:
    transcript = Transcript(MarkdownOptions(), UTC)
    event = struct(user("::capture x\n\n  \n"))
    transcript.feed(event, through_line=1)
    assert transcript.feed(event, after_line=1) == ""


def test_a_recording_that_begins_inside_a_message_has_its_heading() -> None:
    event = struct(user("before\n::record\nafter"))
    assert Transcript(MarkdownOptions(), UTC).feed(event, after_line=1) == f"# User_{T0}\n\n::record\nafter\n"


def test_open_calls_are_bounded() -> None:
    transcript = Transcript(ALL, UTC)
    for number in range(1000):
        transcript.feed(struct(tool_call("Bash", number, call=f"c{number}")))
    assert len(transcript.state) < 10_000
    assert len(orjson.loads(transcript.state)["calls"]) == 256


def test_an_indented_message_does_not_belong_to_the_list_before_it() -> None:
    text = render(user("- item"), user("    code", 1), user("plain", 2), user("    code", 3))
    assert text == f"# User_{T0}\n\n- item\n\n<!-- -->\n\n    code\n\nplain\n\n    code\n"


@pytest.mark.parametrize("subtype", sorted(BOUNDARY_SUBTYPES))
def test_a_boundary_is_one_line_in_italics(subtype: str) -> None:
    mark = info("Back to an *earlier*\n<message>.", 1, subtype=subtype)
    said = [assistant("a", model="m"), mark, assistant("b", 2, model="m")]
    assert render(*said) == (
        f"# m_{T0}\n\na\n\n*Back to an \\*earlier\\* \\<message>.*\n\n# m_2026-02-25_0613_22\n\nb\n"
    )
    assert render(*said, options=MarkdownOptions(include_boundaries=False)) == f"# m_{T0}\n\na\n\nb\n"


def test_another_provider_info_is_not_a_boundary() -> None:
    assert render(info("unknown", subtype="other")) == ""
