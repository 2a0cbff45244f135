"""The HTML page and the plain text of a conversation."""

from zoneinfo import ZoneInfo

import pytest

from builders import Json, assistant, info, struct, thinking, user
from kato.notes import html, plain
from kato.notes.options import MarkdownOptions
from kato.notes.transcript import Transcript

UTC = ZoneInfo("UTC")


def page(*events: Json) -> str:
    transcript = Transcript(MarkdownOptions(heading_style="page"), UTC)
    pieces = (transcript.feed(struct(event)) for event in events)
    return b"".join(html.page("A <title>", ["codex"], (piece for piece in pieces if piece))).decode()


def main_of(text: str) -> str:
    return text.partition("<main>\n")[2].partition("</main>")[0]


def test_a_page_holds_all_that_it_needs() -> None:
    text = page(user("hello"))
    assert "<title>A &lt;title&gt;</title>" in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_each_run_is_a_section_with_its_speaker_and_time() -> None:
    text = main_of(
        page(user("hello"), assistant("*hi*", 1, model="opus"), assistant("again", 2, model="opus"))
    )
    assert text.count("<section") == 2
    assert (
        '<section class="user">\n<h2 class="speaker">You <span class="when">2026-02-25 06:13</span></h2>\n<p>hello</p>'
        in text
    )
    assert (
        '<h2 class="speaker">opus <span class="when">06:13</span></h2>\n<p><em>hi</em></p>\n<p>again</p>'
        in text
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a <b onclick=x>bold</b> word", "a <b>bold</b> word"),
        ('<img src="http://x/y.png" onerror=alert(1)>', "&lt;img src="),
        ("![pic](http://example.org/x.png)", "[image: pic]"),
        ("![pic](data:image/png;base64,AAAA)", '<img src="data:image/png;base64,AAAA" alt="pic">'),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[x](https://example.org)", '<a href="https://example.org" rel="noopener noreferrer">x</a>'),
        ("```python\nx = 1\n```", '<pre class="hl">'),
        (
            "```console\n$ cat <<E\n> a\nE\n# no prompt\n> nor this\n```",
            (
                '<span class="gp">$ </span>cat &lt;&lt;E\n<span class="gp">&gt; </span>a\n<span class="go">E\n</span>'
                '<span class="go"># no prompt\n</span><span class="go">&gt; nor this\n</span>'
            ),
        ),
        ("```nonsense\n<x>\n```", "<pre><code>&lt;x&gt;\n</code></pre>"),
        ("- [x] done\n- [ ] open", '<li class="task">☑ done</li>'),
    ],
)
def test_markdown_is_rendered_and_harmless(said: str, shown: str) -> None:
    assert shown in main_of(page(assistant(said, model="m")))


def test_plain_text_has_speakers_times_and_words() -> None:
    events = [
        user("hello\n  there"),
        assistant("**hi**", 1, model="opus"),
        thinking("hm", 2),
        info("The session was compacted.", 3, subtype="compaction"),
        assistant("again", 4, model="opus"),
    ]
    rule = "-" * 72
    assert "".join(plain.pieces((struct(event) for event in events), UTC)) == (
        f"{rule}\nYou, 2026-02-25 06:13\n\nhello\n  there\n\n"
        f"{rule}\nopus, 2026-02-25 06:13\n\n**hi**\n\n"
        "[The session was compacted.]\n\nagain\n\n"
    )
