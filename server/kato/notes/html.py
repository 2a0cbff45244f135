"""Writes a conversation as one self-contained HTML page, for light and dark displays and for print, without scripts or network.

The Markdown of each event is rendered alone (a piece of a transcript closes everything that it opens), so memory does not grow
with the page. markdown-it renders Markdown, Pygments highlights code.

Rules: HTML in a message is shown as text, except formatting elements without attributes and the transcript's own folded blocks.
Pictures are those that Kato embeds (`data:`). A content security policy forbids everything else.
"""

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

#: Elements that a message may use, without attributes.
_ELEMENTS: Final = frozenset(
    "abbr b blockquote br code dd del details dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre q rp rt ruby s samp small"
    " span strong sub summary sup table tbody td tfoot th thead tr tt u ul var div".split()
)
_TAG: Final = re.compile(r"<!--.*?-->|<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?:\s[^<>]*)?/?>", re.DOTALL)
_SPEAKER: Final = re.compile(r"(?P<name>.+), (?P<when>(?:\d{4}-\d\d-\d\d )?\d\d:\d\d)$")
#: Highlighting takes 2 µs a byte; larger blocks are shown plain.
_HIGHLIGHT_CHARS_MAX: Final = 64 * 1024

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --line: #d1d9e0; --page: #fff; --user: #f0f6ff; --code: #f6f8fa; --link: #0969da }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9198a1; --line: #3d444d; --page: #0d1117; --user: #131d2b; --code: #161b22; --link: #4493f8 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 52rem; background: var(--page); color: var(--text);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word }
header { border-bottom: 1px solid var(--line); margin-bottom: 1.5rem }
header h1 { font-size: 1.7rem; line-height: 1.3; margin: 0 0 .5rem }
header p, .when { color: var(--soft); font-size: .875rem; font-weight: 400 }
section { margin: 1.25rem 0 }
section > :last-child { margin-bottom: 0 }
section.user { background: var(--user); border-radius: .5rem; padding: .75rem 1rem }
h2.speaker { font-size: .95rem; margin: 0 0 .35rem }
section > h2.speaker + * { margin-top: 0 }
a { color: var(--link) }
pre { background: var(--code); border-radius: .4rem; padding: .75rem 1rem; overflow-x: auto; font-size: .8125rem; line-height: 1.5 }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em }
pre code { font-size: inherit }
:not(pre) > code { background: var(--code); border-radius: .25rem; padding: .1em .3em }
blockquote { border-left: .2rem solid var(--line); color: var(--soft); margin: 1rem 0; padding: 0 1rem }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .75rem 0; padding: .35rem .75rem }
summary { color: var(--soft); cursor: pointer; font-size: .9rem }
details[open] > summary { margin-bottom: .5rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left }
img { max-width: 100% }
li.task { list-style: none; margin-left: -1.2rem }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt }
  pre { white-space: pre-wrap }
  details::details-content { content-visibility: visible; height: auto }
  section, pre { break-inside: avoid-page }
}
"""


#: The `data:` URI of a picture that the Markdown refers to; None for a reference that is not Kato's.
FindPicture = Callable[[str], str | None]


class Page:
    """Renders a page piece by piece."""

    def __init__(self, title: str, about: Sequence[str] = (), picture: FindPicture = lambda _: None) -> None:
        self._title = title
        self._about = about
        self._env = {"picture": picture}
        self._is_open = False

    def head(self) -> str:
        """The beginning of the page."""
        policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
        about = "".join(f"<p>{escape(line)}</p>\n" for line in self._about)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self._title)}</title>\n<style>{_STYLE}{_code_style()}</style>\n</head>\n<body>\n"
            f"<header>\n<h1>{escape(self._title)}</h1>\n{about}</header>\n<main>\n"
        )

    def piece(self, markdown: str) -> str:
        """The HTML of a piece of a transcript in the heading style `page`."""
        renderer = _markdown()
        tokens = renderer.parse(markdown)
        before = ""
        if tokens and tokens[0].type == "heading_open" and (found := _SPEAKER.match(tokens[1].content)):
            name, when = found["name"], found["when"]
            before = "</section>\n" if self._is_open else ""
            self._is_open = True
            kind = "user" if name == "You" else "assistant"
            before += f'<section class="{kind}">\n<h2 class="speaker">{escape(_unescaped(name))} <span class="when">{when}</span></h2>\n'
            del tokens[:3]
        return before + _with_tasks(str(renderer.renderer.render(tokens, renderer.options, self._env)))

    def foot(self) -> str:
        """The end of the page."""
        return f"{'</section>' if self._is_open else ''}\n</main>\n</body>\n</html>\n"


def page(
    title: str, about: Sequence[str], pieces: Iterator[str], picture: FindPicture = lambda _: None
) -> Iterator[bytes]:
    """A whole page in pieces."""
    one = Page(title, about, picture)
    yield one.head().encode()
    for piece in pieces:
        yield one.piece(piece).encode()
    yield one.foot().encode()


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\`*_\[\]<>~|#])", r"\1", text)


_TASK: Final = re.compile(r"<li>(<p>|\n<p>)?\[([ xX])\] ")


def _with_tasks(html: str) -> str:
    """Shows the boxes of checklists as signs."""
    return _TASK.sub(
        lambda found: f'<li class="task">{found[1] or ""}{"☐" if found[2] == " " else "☑"} ', html
    )


# --- markdown-it and Pygments, loaded with the first page ------------------------------------------------


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 0.2 s

    renderer = MarkdownIt("commonmark", {"html": True, "highlight": _highlighted}).enable(
        ["table", "strikethrough"]
    )
    for name in ("html_block", "html_inline"):
        renderer.add_render_rule(name, _html)
    renderer.add_render_rule("image", _image)
    renderer.add_render_rule("link_open", _link)
    return renderer


def _html(_: "RendererHTML", tokens: Sequence["Token"], index: int, *__: Any) -> str:
    """The HTML of a message, in which elements that are not allowed are text."""
    pieces, at, content = [], 0, tokens[index].content
    for found in _TAG.finditer(content):
        pieces.append(_escaped_stray(content[at : found.start()]))
        name = (found["name"] or "").lower()
        if name in _ELEMENTS:
            pieces.append(f"<{found['end']}{name}>")
        elif name:
            pieces.append(escape(found[0]))
        at = found.end()
    pieces.append(_escaped_stray(content[at:]))
    return "".join(pieces)


def _escaped_stray(text: str) -> str:
    return text.replace("<", "&lt;")


def _image(
    renderer: "RendererHTML",
    tokens: Sequence["Token"],
    index: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """A picture that the page contains; a placeholder for any other one."""
    token = tokens[index]
    source, words = (
        str(token.attrs.get("src", "")),
        renderer.renderInlineAsText(token.children or [], options, env),
    )
    source = env["picture"](source) or source
    if source.startswith("data:image/"):
        return f'<img src="{escape(source)}" alt="{escape(words)}">'
    return f"[image: {escape(words or source)}]"


def _link(
    renderer: "RendererHTML",
    tokens: Sequence["Token"],
    index: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer")
    return renderer.renderToken(tokens, index, options, env)


def _highlighted(code: str, language: str, _: str) -> str:
    """A block of code, highlighted if its language is known."""
    from pygments import highlight  # noqa: PLC0415
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415
    from pygments.util import ClassNotFound  # noqa: PLC0415

    if language == "console":
        return f'<pre class="hl"><code>{_console(code)}</code></pre>\n'
    if not language or len(code) > _HIGHLIGHT_CHARS_MAX:
        return f"<pre><code>{escape(code)}</code></pre>\n"
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return f"<pre><code>{escape(code)}</code></pre>\n"
    return f'<pre class="hl"><code>{highlight(code, lexer, _formatter("default"))}</code></pre>\n'


def _console(code: str) -> str:
    """Commands after a prompt `$`, with their further lines after `>`, and output. Pygments' lexer takes `#` and `%` for prompts too,
    with which lines of many outputs begin.
    """
    pieces, is_typed = [], False
    for line in code.splitlines(keepends=True):
        is_typed = line.startswith("$ ") or (is_typed and line.startswith("> "))
        if is_typed:
            pieces.append(f'<span class="gp">{escape(line[:2])}</span>{escape(line[2:])}')
        else:
            pieces.append(f'<span class="go">{escape(line)}</span>')
    return "".join(pieces)


@cache
def _formatter(style: str) -> Any:
    from pygments.formatters import HtmlFormatter  # noqa: PLC0415

    return HtmlFormatter(style=style, nowrap=True)


@cache
def _code_style() -> str:
    light, dark = (str(_formatter(style).get_style_defs(".hl")) for style in ("default", "github-dark"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n.hl {{ background: var(--code) !important }}\n"
