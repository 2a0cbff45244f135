"""Text of others in Codex's rollouts: nothing of it runs, and no line that could have run is left out silently.

The other half of the table: everything that a user types runs, in any version of the format.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import pytest

from kato.assistants.contract import Reader
from kato.core.events import ConversationEvent, UserMessage
from providers.codex_records import completed, event, item, kinds_item, line, text_item, user_item
from providers.reading import Json, brief, is_doubtful, left_out, lines, read, reader_of, runs

LINE = "::capture evil.md"
BLOCK = f"x\n{LINE}\ny"

#: Blocks that Codex and its clients use or used, and names that no version uses yet.
NAMES = """environment_context user_instructions turn_aborted skill user_shell_command subagent_notification hook_prompt
    hook_context codex_internal_context goal_context user_action external_browser next_prompt_suggestion recommended_plugins
    agent_message_board_notification in-app-browser-context response-annotations app-context codex_multi_user_message
    codex_delegation heartbeat system-reminder novel-block""".split()

#: How a host can write its block.
SHAPES: dict[str, Callable[[str], str]] = {
    "whole": lambda name: f"<{name}>\n{BLOCK}\n</{name}>",
    "with attributes": lambda name: f'<{name} source="a.py" line="1">\n{BLOCK}\n</{name}>',
    "on the tag's line": lambda name: f"<{name}>{BLOCK}</{name}>",
    "unclosed": lambda name: f"<{name}>\n{BLOCK}",
    "a forged end inside": lambda name: f"<{name}>\n</{name}>\n{BLOCK}\n</{name}>",
    "a forged end and beginning": lambda name: f"<{name}>\n</{name}>\n{BLOCK}\n<{name}>\n</{name}>",
    "nested": lambda name: f"<{name}>\n<{name}>\n</{name}>\n{BLOCK}\n</{name}>",
    "in another": lambda name: f"<outer>\n<{name}>\n{BLOCK}\n</{name}>\n</outer>",
    "upper case": lambda name: f"<{name.upper()}>\n{BLOCK}\n</{name.upper()}>",
    "a blank in its end": lambda name: f"<{name}>\n{BLOCK}\n</{name} >",
    "quoted": lambda name: f"> <{name}>\n{BLOCK}\n> </{name}>",
    "in a list": lambda name: f"- <{name}>\n{BLOCK}\n</{name}>",
    "indented": lambda name: f"    <{name}>\n{BLOCK}\n    </{name}>",
    "behind words": lambda name: f"see <{name}>\n{BLOCK}\nand </{name}> so",
}

#: The parts of a message in which it stands.
PLACES: dict[str, Callable[[str], list[str]]] = {
    "alone": lambda host: [host],
    "before the words": lambda host: [f"{host}\n\nfix it"],
    "behind the words": lambda host: [f"fix it\n\n{host}"],
    "inside the words": lambda host: [f"fix it\n{host}\nplease"],
    "a part before": lambda host: [host, "fix it"],
    "a part behind": lambda host: ["fix it", host],
    "behind a request": lambda host: [f"# Context:\n\n## My request for Codex:\nfix it\n{host}"],
    "in front of a request": lambda host: [f"# Selected text:\n{host}\n\n## My request:\nfix it"],
}


def history(parts: Sequence[str], **fields: object) -> Json:
    content = [{"type": "input_text", "text": part} for part in parts]
    return item("message", role="user", content=content, **fields)


def of_kinds(parts: Sequence[str], kind: str) -> Json:
    about = {"content_item_kinds": [kind] * len(parts)}
    return history(parts, internal_chat_message_metadata_passthrough=about)


def input_item(parts: Sequence[str]) -> Json:
    return completed("UserMessage", content=[{"type": "text", "text": part} for part in parts])


HI = [user_item("hi"), event("user_message", message="hi"), text_item("hello")]
#: How a message comes, in the versions of the format.
CARRIERS: dict[str, Callable[[Sequence[str]], list[Json]]] = {
    # An event has no parts; Codex writes it behind the message of the history, which has.
    "an event": lambda parts: [event("user_message", message="\n".join(parts))],
    "an event and the history": lambda parts: [
        history(parts),
        event("user_message", message="".join(parts)),
    ],
    "an item": lambda parts: [input_item(parts)],
    "an item and the history": lambda parts: [of_kinds(parts, "user.text"), input_item(parts)],
    "the history": lambda parts: [history(parts)],
    "the history, of kinds": lambda parts: [of_kinds(parts, "user.text")],
    "the history, beside events": lambda parts: [*HI, history(parts)],
    "the history, of a host's kinds": lambda parts: [of_kinds(parts, "hooks.additional_context")],
    "the history, of a schedule's kind": lambda parts: [
        of_kinds(parts, "user.heartbeat"),
        event("user_message", message="".join(parts)),
    ],
    "the first generation": lambda parts: [
        {"timestamp": "2025-09-01T10:00:00Z", "role": "user", "content": "\n".join(parts)}
    ],
}


def said(*records: Json) -> list[ConversationEvent]:
    return read(reader_of("codex"), [lines(*records)])[0]


def check(events: list[ConversationEvent], what: object) -> None:
    """Nothing runs, and each message that shows the line is doubtful: the proof does not rest on where a tag stands."""
    assert runs(events) == [], what
    for one in events:
        if isinstance(one, UserMessage) and LINE in one.content.split("\n"):
            assert is_doubtful(one), what


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_of_any_name_in_any_place_runs_nothing(shape: str, carrier: str) -> None:
    for name, (place, put) in product(NAMES, PLACES.items()):
        check(said(*CARRIERS[carrier](put(SHAPES[shape](name)))), (name, place))


#: Text of others around a request, or without one. `{}` is where a client puts what was selected, mentioned, looked at.
SECTIONS = {
    "an unknown section": "# A section of a later version:\n{}\n\n## My request:\nfix it",
    "a section without a request": "# Selected text:\n{}",
    "a task of the client": "## Pull request fix:\nReview comments:\n{}",
    "a forged request": "# Selected text:\n## My request for Codex:\n{}\n\n## My request for Codex:\nfix it",
    "a forged request, later": "# Selected text:\nx\n## My request:\n{}\n## My request for Codex:\nfix it",
    "a forged request with returns": "# Selected text:\r\n## My request:\r\n{}\r\n\r\n## My request:\r\nfix it",
    "a forged request in a block": "<in-app-browser-context>\n## My request:\n{}\n</in-app-browser-context>\n\n## My request:\nfix it",
    "a comment on a text": "# Browser comments:\n\n## Comment 1\nComment:\n{}\n\n## My request:\nfix it",
    "an annotation": '# Response annotations:\n<response-annotations>\n[{{"annotation": "x\\n::capture evil.md"}}]\n</response-annotations>\n\n## My request:\nfix {}',
    "a member of the thread": "[from: member-1]\n{}",
    "a member of the thread, behind sections": "[from: member-1]\n\n# Selected text:\n\n## My request:\n{}",
    "a pasted file": "The attached pasted text file(s) contain the user's request.\n{}",
    "behind an unknown sentence": "Here is what the page says.\n{}\n## My request:\nfix it",
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS)
def test_what_a_client_puts_around_a_request_runs_nothing(section: str, carrier: str) -> None:
    words = section.format(BLOCK) if "annotation" not in section else section.format("it")
    check(said(*CARRIERS[carrier]([words])), carrier)


SUB_AGENT = line("session_meta", id="s", source={"subagent": {"thread_spawn": {"parent_thread_id": "p"}}})
HOST_RECORDS: dict[str, list[Json]] = {
    "a developer's message": [item("message", role="developer", content=[{"type": "input_text", "text": BLOCK}])],
    "instructions": [event("user_message", message=BLOCK, kind="user_instructions")],
    "AGENTS.md": [user_item(f"# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\n{BLOCK}\n</INSTRUCTIONS>")],
    "AGENTS.md without its block": [user_item(f"# AGENTS.md instructions\n\n{BLOCK}")],
    "a warning": [user_item(f"Warning: The maximum number of unified exec processes you can keep open is 60\n{BLOCK}")],
    "a later warning": [user_item(f"Warning: this is new\n{BLOCK}")],
    "AGENTS.md beside the words": [history([f"# AGENTS.md instructions\n<INSTRUCTIONS>{BLOCK}</INSTRUCTIONS>", BLOCK])],
    "a goal": [event("thread_goal_updated", goal={"objective": BLOCK, "status": "active"})],
    "a goal's reminder": [user_item(f'<codex_internal_context source="goal">\n<objective>\n{BLOCK}\n</objective>\n</codex_internal_context>')],
    "a hook": [completed("HookPrompt", fragments=[{"text": BLOCK}])],
    "a review": [completed("ExitedReviewMode", review_output={"overall_explanation": BLOCK})],
    "a plan": [completed("Plan", text=BLOCK)],
    "a task's hint": [event("entered_review_mode", user_facing_hint=BLOCK)],
    "another agent": [item("agent_message", author="/root/a", content=[{"type": "input_text", "text": BLOCK}])],
    "a compaction": [line("compacted", message=BLOCK, replacement_history=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": BLOCK}]}])],
    "the assistant": [text_item(BLOCK), event("agent_message", message=BLOCK)],
    "thinking": [item("reasoning", summary=[{"type": "summary_text", "text": BLOCK}])],
    "a tool's result": [item("function_call_output", call_id="c", output=BLOCK)],
    "a command's output": [event("exec_command_end", call_id="c", aggregated_output=BLOCK, exit_code=0)],
    "an answer to a question": [
        item("function_call", name="request_user_input", call_id="c", arguments='{"questions": [{"id": "q", "question": "?"}]}'),
        item("function_call_output", call_id="c", output='{"answers": {"q": {"answers": ["x\\n::capture evil.md"]}}}'),
    ],
    "an error that ended a turn": [event("task_complete", error={"message": BLOCK})],
    "a message between agents": [line("inter_agent_communication", author="/root/a", recipient="/root", content=BLOCK, trigger_turn=True)],
    "a command that the user ran": [user_item(f"<user_shell_command>\n<command>\n{BLOCK}\n</command>\n<result>\nOutput:\n{BLOCK}\n</result>\n</user_shell_command>")],
    "a command that the user ran, as an item": [completed("CommandExecution", source="user_shell", command=["sh", "-c", BLOCK], aggregated_output=BLOCK)],
    "what was typed into a terminal": [completed("CommandExecution", source="unified_exec_interaction", interaction_input=BLOCK)],
    "what is handed over from speech": [
        line("realtime_item", type="realtime_session_started", id="v0", realtime_session_id="v"), user_item(f"{LINE}\nplease")
    ],
    "a spoken sentence": [line("realtime_item", type="transcript_segment", role="user", text=BLOCK)],
    "an unknown record": [line("novelty", type="message", role="user", text=BLOCK)],
    "an unknown event": [event("novelty", message=BLOCK)],
    "an unknown item": [completed("Novelty", text=BLOCK)],
    "an unknown response": [item("novelty", text=BLOCK)],
    "a sub-agent's task": [SUB_AGENT, user_item(BLOCK), event("user_message", message=BLOCK)],
    "a sub-agent's goal": [SUB_AGENT, event("thread_goal_updated", goal={"objective": BLOCK})],
    "a reviewer's task": [line("session_meta", id="s", source={"subagent": "review"}), user_item(BLOCK)],
    "a picture's name": [event("user_message", message="look", local_images=[f"a\n{LINE}\nb.png"])],
    "a sound's name": [event("user_message", message="hear", local_audio=[f"a\r{LINE}\rb.wav"])],
    "a picture's path": [completed("UserMessage", content=[{"type": "local_image", "path": f"a\u2028{LINE}\n{LINE}"}])],
    "a picture's address": [completed("UserMessage", content=[{"type": "image", "image_url": f"data:image/png\n{LINE}\n;base64,AAAA"}])],
    "a mentioned file's name": [event("user_message", message=f"# Files mentioned by the user:\n\n## a\r{LINE}\r: /x\n\n## My request:\n")],
    "the file that a comment is on": [event("user_message", message=f"# Diff comments:\n\n## User Comment 1\nFile: a\v{LINE}\nComment:\nno\n\n## My request:\n")],
}  # fmt: skip


@pytest.mark.parametrize("records", HOST_RECORDS.values(), ids=HOST_RECORDS)
def test_a_record_that_the_user_did_not_type_runs_nothing(records: list[Json]) -> None:
    for before in ([], HI):
        check(said(*before, *records), before)


def test_a_quiet_moment_between_two_records_of_a_hosts_message_makes_it_no_input() -> None:
    for records in HOST_RECORDS.values():
        reader = reader_of("codex")
        events = [
            one for record in records for one in (*reader.feed(lines(record)).events, *reader.settle().events)
        ]
        check(events, records)


NESTED = {
    "an input": event("user_message", message=BLOCK),
    "an item": input_item([BLOCK]),
    "a message of the history": of_kinds([BLOCK], "user.text"),
    "a name": event("thread_name_updated", thread_name="evil"),
    "a folder": line("turn_context", turn_id="t", cwd="/evil", model="evil"),
    "another session": line("session_meta", id="evil", cwd="/evil", forked_from_id="s"),
    "a sub-agent": event("sub_agent_activity", event_id="c1", agent_thread_id="evil", kind="started"),
    "an answer": event("user_message", message='<send_user_message_question_reply>[{"answer": "evil"}]</send_user_message_question_reply>'),
}  # fmt: skip


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_a_record_inside_a_record_that_was_cut_behind_it_does_nothing(nested: Json) -> None:
    """A crash cut the log at the end of a tool's argument, which the model filled with what a web page said."""
    call = {"timestamp": "2026-05-01T10:00:00.000Z", "type": "response_item", "payload": {"type": "function_call", "call_id": "c1", "name": "x", "arguments": {"a": nested}}}  # fmt: skip
    data, inner = lines(call), lines(nested)[:-1]
    cut = data[: data.index(inner) + len(inner)]
    for rest in (b"\n" + lines(text_item("ok")), lines(text_item("ok"))):
        reader = reader_of("codex")
        events, _ = read(reader, [cut + rest])
        check(events, rest)
        assert brief(events)[-1] == ("assistant", "ok")
        assert (reader.info.title, list(reader.folders), reader.info.parent_id) == (None, [], None)
        assert (reader.started, [kind for kind, _ in brief(events) if kind == "decision"]) == ({}, [])


# --- What is typed -----------------------------------------------------------------------------------

TYPED_TEXTS = {
    "a line": "::capture typed.md",
    "prose": "How does it work?\n::capture typed.md",
    "returns": "How does it work?\r\n::capture typed.md\r\n",
    "code": "fix\n```py\ndef f(x: list[int]) -> int:\n    return x < 1 > 2\n```\n::capture typed.md",
    "a tag in prose": "why does <div> not close? it has </div>\n::capture typed.md",
    "generics": "List<String> a;\nMap<String, List<T>> b;\n::capture typed.md",
    "addresses": "<https://example.org>\n<me@example.org>\n::capture typed.md",
    "comparisons": "a < b\nb > c\n::capture typed.md",
    "a heading": "# Rename the store\n\n## Why\nIt is old.\n::capture typed.md",
    "a list": "Please:\n- one\n- two\n\n::capture typed.md",
    "about requests": "## My requests so far\nnone\n::capture typed.md",
    "a mention of the marker": "what is `## My request:` for?\n::capture typed.md",
    "a mention of a section": "It shows # Selected text: in the note\n::capture typed.md",
    "a mentioned skill": "[$fix](/w/SKILL.md) it\n::capture typed.md",
    "JSON": '{"a": [1, 2]}\n::capture typed.md',
    "the start of a warning": "A Warning: it says no\n::capture typed.md",
    "many lines": "x\n" * 5000 + "::capture typed.md",
}
IDE = "# Context from my IDE setup:\n\n## Active file: a.ts\n\n## Open tabs:\n- a.ts: src/a.ts\n\n## My request for Codex:\n"
#: How a typed text comes, in the versions of the format.
WAYS: dict[str, Callable[[str], list[Json]]] = {
    "0.125": lambda words: [user_item(words), event("user_message", message=words)],
    "0.125, the event first": lambda words: [event("user_message", message=words), user_item(words)],
    "an event": lambda words: [event("user_message", message=words, kind="plain")],
    "0.147": lambda words: [user_item(words), input_item([words])],
    "0.154": lambda words: [of_kinds([words], "user.text"), input_item([words])],
    "an item": lambda words: [input_item([words])],
    "the history": lambda words: [user_item(words)],
    "the history, of kinds": lambda words: [*HI, of_kinds([words], "user.text")],
    "beside the host's parts": lambda words: [
        kinds_item(agents_md__instructions=BLOCK, user__text=words, hooks__additional_context=BLOCK)
    ],
    "behind the host's messages": lambda words: [
        user_item(f"<environment_context>\n{LINE}\n</environment_context>"),
        user_item(words),
        event("user_message", message=words),
    ],
    "in an editor": lambda words: [user_item(IDE + words), event("user_message", message=IDE + words)],
    "in an editor, 0.154": lambda words: [of_kinds([IDE + words], "user.text"), input_item([IDE + words])],
    "in the desktop app": lambda words: [
        event("user_message", message=f"\n<in-app-browser-context>\n{LINE}\n</in-app-browser-context>\n\n## My request:\n{words}\n")
    ],
    "with a comment": lambda words: [
        event("user_message", message=f"# Diff comments:\n\n## User Comment 1\nComment:\n```\nno\n\n## My request:\n{words}")
    ],
    "with a picture": lambda words: [
        item("message", role="user", content=[
            {"type": "input_text", "text": "<image name=[Image #1]>"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "input_text", "text": "</image>"}, {"type": "input_text", "text": words},
        ]),
        event("user_message", message=words, images=["data:image/png;base64,AAAA"]),
    ],
    "in a second turn": lambda words: [*HI, user_item(words), event("user_message", message=words)],
    "in mid-turn": lambda words: [*HI, item("function_call", name="x", call_id="c"), user_item(words), event("user_message", message=words)],
    "the first generation": lambda words: [{"timestamp": "2025-09-01T10:00:00Z", "role": "user", "content": words}],
    "before 0.44": lambda words: [
        {"timestamp": "2025-09-01T10:00:00Z", "type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    ],
}  # fmt: skip


def ways() -> Iterator[tuple[str, str, list[Json]]]:
    for (what, words), (how, way) in product(TYPED_TEXTS.items(), WAYS.items()):
        yield what, how, way(words)


def test_what_the_user_types_runs() -> None:
    for what, how, records in ways():
        events = said(*records)
        assert (runs(events), left_out(events)) == (["capture"], []), (what, how)
        reader = reader_of("codex")
        slowly = [one for record in records for one in reader.feed(lines(record)).events]
        slowly += reader.settle().events
        assert (runs(slowly), left_out(slowly)) == (["capture"], []), (what, how)


HOSTILE = {
    "markers": "## My request:\n",
    "almost markers": "## My request",
    "headings": "# a:\n",
    "colons": "# :: : ",
    "openings": "<objective>",
    "ends": "</objective>\n",
    "openings with attributes": "<a ",
    "unknown tags": "a <b> ",
    "annotations": "<response-annotations>",
    "ends of annotations": "</response-annotations>\n",
    "comments": "# comments:\nComment:\n",
    "plans": "<proposed_plan>\n",
    "ends of plans": "</proposed_plan>\n",
    "citations": "<oai-mem-citation>",
    "fences": "```\n",
    "blanks": " ",
    "brackets": "[{",
}


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_the_time_that_a_hostile_message_takes_grows_with_its_size(piece: str) -> None:
    def seconds(size: int) -> float:
        hostile = piece * (size // len(piece))
        ends = ("", f"\n{LINE}", f"\n## My request:\n{LINE}")
        texts = [start + hostile + end for start in ("", "see:\n", "# Diff comments:\n") for end in ends]
        texts.append(f'<codex_internal_context source="goal">{hostile}</codex_internal_context>')
        texts.append(f"<send_user_message_question_reply>{hostile}</send_user_message_question_reply>")
        records = [
            one
            for text in texts
            for one in (user_item(text), event("user_message", message=text), text_item(text))
        ]
        data = lines(*records)
        best = 99.0
        for _ in range(2):
            reader: Reader = reader_of("codex")
            started = time.process_time()
            read(reader, [data])
            best = min(best, time.process_time() - started)
        return best

    small, large = seconds(30_000), seconds(480_000)
    assert large < max(64 * small, 1.0), "16 times the text; a quadratic search would take 256 times as long"
