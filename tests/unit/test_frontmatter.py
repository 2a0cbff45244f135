"""Frontmatter: how Kato finds, makes and adopts it, and what has to stay."""

from collections.abc import Callable

import pytest

from kato.core import limits
from kato.notes.frontmatter import FrontmatterInvalid, NoteFields, adopt, find, make_id, new

FIELDS = NoteFields(
    id="t9jbtix448je5erxnaoot5j",
    title="A title",
    updated=2,
    created=1,
    provider="claude",
    session_id="s-1",
    participants=("User", "claude-sonnet"),
    tags=("kato",),
    recording_ids=("r1",),
)
OURS = "provider: claude\nsessionId: s-1\nparticipants: [User, claude-sonnet]\ntags: [kato]\nrecordingIds: [r1]\n"


def test_a_new_note_has_the_keys_in_their_order() -> None:
    assert new(FIELDS) == (
        "---\nid: t9jbtix448je5erxnaoot5j\ntitle: A title\ndesc: ''\nupdated: 2\ncreated: 1\n"
        + OURS
        + "---\n\n"
    )


@pytest.mark.parametrize(
    "title", ["a: b", "'quoted'", "- list", "#hash", "yes", "2026", "[x]", "@at", "ü…", "{a}"]
)
def test_any_title_is_written_so_that_it_is_read_as_itself(title: str) -> None:
    from ruamel.yaml import YAML

    text = new(NoteFields(id="i", title=title, updated=2, created=1, provider="p", session_id="s"))
    assert YAML(typ="safe").load(text.split("---\n")[1])["title"] == title


def test_what_the_user_wrote_stays_and_what_is_missing_follows() -> None:
    yaml = (
        "# my note\n"
        "title: 'Mine'   # stays\n"
        "aliases:\n  - one\n  - two\n"
        "published: 2024-01-02\n"
        "code: 0123\n"
        "updated: 1\n"
        "url: https://example.org/" + "x" * 200 + "\n"
    )
    adopted = adopt(yaml, FIELDS)
    for line in yaml.splitlines():
        if not line.startswith("updated"):
            assert f"{line}\n" in adopted, line
    assert "updated: 2\n" in adopted
    assert adopted.index("url:") < adopted.index("id: t9jb") < adopted.index("provider: claude")


def test_lists_grow_without_repeating() -> None:
    adopted = adopt("tags: [mine, kato]\nrecordingIds: [r0]\nparticipants: User\n", FIELDS)
    assert "tags: [mine, kato]\n" in adopted
    assert "recordingIds: [r0, r1]\n" in adopted
    assert "claude-sonnet" in adopted


@pytest.mark.parametrize(
    "line",
    [
        "title: {{title}}",
        "title:   'two  blanks'   # why",
        "aliases: [A,   B]",
        "aliases: [ 'x', \"y\" ]",
        "cssclasses:",
        "code: 0123",
        "when: 2024-01-02T03:04:05",
        "long: " + "word " * 60 + "end",
        "text: |\n  kept\n   as it is\n",
        "folded: >-\n  a\n\n  b",
        "nested:\n    deep:   {a: 1,b: 2}\n    # a comment\n    list:\n    - one",
        '"quoted key": 1',
        "anchor: &a [1]\nalias: *a",
        "# only a comment\n\nid: abc",
    ],
)
def test_a_line_that_does_not_change_stays_as_its_bytes_are(line: str) -> None:
    yaml = f"id: abc\n{line}\ntags: [kato]\n" if "id:" not in line else f"{line}\n"
    adopted = adopt(yaml, FIELDS)
    assert adopted.startswith(f"---\n{yaml}")
    assert adopt(adopted.removeprefix("---\n").removesuffix("---\n\n"), FIELDS) == adopted


def test_a_line_that_changes_keeps_its_comment_and_its_place() -> None:
    yaml = "a: 1\nupdated: 1  # by hand\n# about b\n\nb: 2\ntags: [x, y]  # mine\n"
    adopted = adopt(yaml, FIELDS)
    assert adopted.startswith(
        "---\na: 1\nupdated: 2  # by hand\n# about b\n\nb: 2\ntags: [x, y, kato]  # mine\n"
    )


@pytest.mark.parametrize(
    ("tags", "grown"),
    [
        ("tags: work, ai", "tags: [work, ai, kato]"),
        ("tags: work", "tags: [work, kato]"),
        ("tags:\n  - work\n  - ai", "tags:\n  - work\n  - ai\n  - kato"),
        ("tags:\n- work", "tags:\n- work\n- kato"),
        ("tags:", "tags: [kato]"),
        ("tags: []", "tags: [kato]"),
        ("tags: ''", "tags: [kato]"),
        ("tags: {a: 1}", "tags: {a: 1}"),
        ("tags: [kato, x]", "tags: [kato, x]"),
    ],
)
def test_tags_grow_in_the_users_own_style(tags: str, grown: str) -> None:
    assert f"---\nid: abc\n{grown}\nupdated: 2\n" in adopt(f"id: abc\n{tags}\nupdated: 1\n", FIELDS)


def test_a_mapping_in_flow_style_is_adopted_too() -> None:
    assert "{id: abc, tags: [x, kato]" in adopt("{id: abc, tags: [x]}\n", FIELDS)


def test_line_ends_stay_as_they_are() -> None:
    adopted = adopt("id: abc\r\ntags: [kato]\r\n", FIELDS)
    assert adopted.startswith("---\r\nid: abc\r\ntags: [kato]\r\n")
    assert adopted.count("\n") == adopted.count("\r\n")


def test_adopting_twice_changes_nothing() -> None:
    once = adopt("title: x\nmine: 1 # c\n", FIELDS)
    assert adopt(once.removeprefix("---\n").removesuffix("---\n\n"), FIELDS) == once


def test_missing_events_are_counted_until_the_note_is_whole() -> None:
    lacking = NoteFields(
        id="i", title="t", updated=2, created=1, provider="p", session_id="s", truncated_events=7
    )
    assert "truncatedEvents: 7\n" in new(lacking)
    assert "truncatedEvents" not in adopt("truncatedEvents: 7\n", FIELDS)


@pytest.mark.parametrize(
    "yaml", ["a: [", "- list", "just text", "a: 1\na: 2", "a: !!python/object:x {}\n- b", "\tx: 1"]
)
def test_frontmatter_that_is_not_a_mapping_is_an_error_and_stays_as_it_is(yaml: str) -> None:
    with pytest.raises(FrontmatterInvalid):
        adopt(yaml, FIELDS)


def test_empty_frontmatter_is_adopted() -> None:
    assert adopt("", FIELDS).startswith("---\n")


@pytest.mark.parametrize(
    ("text", "yaml", "body"),
    [
        (b"---\nid: 1\n---\n\nbody", "id: 1\n", b"body"),
        (b"---\nid: 1\n---\nbody", "id: 1\n", b"body"),
        (b"---\nid: 1\n---\n\n\nbody", "id: 1\n", b"\nbody"),
        (b"---\r\nid: 1\r\n---\r\n\r\nbody", "id: 1\r\n", b"body"),
        (b"\xef\xbb\xbf---\nid: 1\n---\n", "id: 1\n", b""),
        (b"---\n---\n", "", b""),
        (b"---\nid: 1\n...\nbody", "id: 1\n", b"body"),
        (b"---\nid: 1\n", None, b"---\nid: 1\n"),
        (b"body\n---\n", None, b"body\n---\n"),
        (b"----\nid\n---\n", None, b"----\nid\n---\n"),
        (b"---\n\xff\n---\n", None, b"---\n\xff\n---\n"),
        (b"", None, b""),
    ],
)
def test_frontmatter_is_found_with_its_end(text: bytes, yaml: str | None, body: bytes) -> None:
    found = find(text)
    assert found.yaml == yaml
    assert text[found.body_offset :] == body


def test_frontmatter_that_is_too_long_counts_as_text() -> None:
    assert find(b"---\n" + b"a: 1\n" * limits.FRONTMATTER_BYTES_MAX + b"---\n").yaml is None


def test_an_id_has_23_lower_case_letters_and_digits() -> None:
    made = {make_id(bytes([number]) * 32) for number in range(200)}
    assert len(made) == 200
    assert all(len(one) == 23 and one.isalnum() and one == one.lower() for one in made)


OTHER = (
    "id: abc\ntitle: {title}\nprovider: codex\nsessionId: s-9\nparticipants:\n  - User\n  - gpt\ntags: [kato, mine]\n"
    "recordingIds: [r0]\nstarted: '2020-01-01'\nbranch: theirs\nfiles: [theirs.py]\nmine: 1\n"
)


def titles(key: tuple[str, str]) -> str | None:
    return {("codex", "s-9"): "Their title"}.get(key)


def test_a_note_that_gets_another_conversation_says_nothing_about_the_former_one() -> None:
    adopted = adopt(OTHER.format(title="Their title"), FIELDS, titles)
    assert adopted == (
        "---\nid: abc\ntitle: A title\nprovider: claude\nsessionId: s-1\nparticipants: [User, claude-sonnet]\ntags: [kato, mine]\n"
        "recordingIds: [r0, r1]\nmine: 1\ndesc: ''\nupdated: 2\ncreated: 1\n---\n\n"
    )


@pytest.mark.parametrize(
    ("title", "known"), [("Mine", titles), ("Their title", lambda _: None), ("1", titles)]
)
def test_a_title_that_kato_did_not_write_stays(
    title: str, known: Callable[[tuple[str, str]], str | None]
) -> None:
    assert f"title: {title}\n" in adopt(OTHER.format(title=title), FIELDS, known)


def test_the_same_conversation_keeps_its_title_and_grows_its_lists() -> None:
    yaml = OTHER.format(title="Their title").replace("codex", "claude").replace("s-9", "s-1")
    adopted = adopt(yaml, FIELDS, lambda _: "Their title")
    assert "title: Their title\n" in adopted
    assert "participants:\n  - User\n  - gpt\n  - claude-sonnet\n" in adopted
    assert "branch: theirs\n" in adopted


def test_another_conversation_in_flow_style_is_replaced_too() -> None:
    adopted = adopt(
        "{title: Their title, provider: codex, sessionId: s-9, branch: theirs, mine: 1}\n", FIELDS, titles
    )
    assert "title: A title" in adopted
    assert "branch" not in adopted
    assert "mine: 1" in adopted
