"""Gemini CLI: whose words a message of type `user` holds, and what proves that the user typed them.

- `displayContent`, where a message has it, is what the user typed. Nothing else in the message runs commands.
- Without it, the user typed a message that is one text part (files, hooks and editor contexts have parts of their own),
  without a block of tags and without a known phrase of the host. Anything else is doubtful.
- The host writes whole messages in the user's name: a summary, a request to go on, what an editor shows, the output of a
  `!command`. `kind_of` names them.
"""

import re
from typing import Final, Literal

from kato.assistants.contract import Json, SavePicture
from kato.assistants.proof import host_block
from kato.assistants.values import as_text, object_of, placeholder, text_of
from kato.core.text import lines_outside_fences

#: "context": how the host describes itself and the project to the model; "host": other words of the host.
MessageKind = Literal["user", "shell", "summary", "context", "host"]

#: Blocks that the host writes as a part, or a message, of its own.
_HOST_PARTS: Final = ("session_context", "hook_context", "editor_context")
#: The beginnings of the model's summary of what a compaction left out.
_SUMMARY: Final = ("<state_snapshot>", "<scratchpad>")
#: The beginnings of messages that describe the host, the project and the editor to the model.
_CONTEXT: Final = (
    "<session_context>",
    "This is the Gemini CLI. We are setting up the context for our chat.",
    "Here is the user's editor context",
    "Here is a summary of changes in the user's editor context",
)
#: The context that `/dir add` writes.
_DIRECTORIES: Final = re.compile(
    r"I'm currently working in the (?:directory: |following directories:\n)[^\0]{0,20000}?"
    r"\n ?(?:Here is the folder structure of|Folder structures are as follows:)"
)
#: Whole messages, and beginnings of messages, with which the host drives the model on.
_HOST_MESSAGES: Final = frozenset(["System: Please continue.", "Please continue."])
_HOST_PHRASES: Final = ("System: Potential loop detected.", "Your previous turn ended")
#: What the host puts into the model's mouth: after a summary, and after a picture that a tool read.
FILLERS: Final = frozenset(
    ["Got it. Thanks for the additional context!", "Binary content received. Proceeding with analysis."]
)

#: A part that holds a file.
_DATA: Final = ("inlineData", "fileData")

_SHELL: Final = "I ran the following shell command:\n```sh\n"
_SHELL_RESULT: Final = "\n```\n\nThis produced the following result:\n```\n"
_STEERING: Final = re.compile(
    r"User steering update:\s*<user_input>\n?(?P<words>.*)\n?</user_input>\s*Internal instruction:", re.DOTALL
)
#: What precedes the content of files that the user named in the terminal, and of those that were attached in an editor (ACP). The
#: names of the latter stand among the words, as the editor gave them.
_ATTACHED: Final = "--- Content from referenced context ---"
_FILES: Final = re.compile(f"--- Content from referenced files ---|{_ATTACHED}")
#: The CLI's own commands (`/help`), which are not said to the model. A prompt may begin with a path (`/tmp fills up`).
_SLASH: Final = re.compile(r"/(?P<name>[a-z][a-z-]*)(?=\s|$)[^\n]*\Z")
_COMMANDS: Final = frozenset(
    "about agents auth bug chat clear commands compress copy corgi dir directory docs editor exit extensions footer help hooks"
    " ide init mcp memory model permissions plan policies privacy profile quit restore resume rewind settings setup-github"
    " shells skills stats terminal-setup theme tools upgrade vim".split()
)

IN_PARTS: Final = "the message has parts that Gemini CLI may have added"
IN_SHELL: Final = "it is a shell command of Gemini CLI"
NOT_SHOWN: Final = "the line was not displayed as typed"


def kind_of(message: Json) -> MessageKind:
    """What a message of type `user` is."""
    content = message.get("content")
    text = plain(content).strip()
    if text.startswith(_SHELL) and _SHELL_RESULT in text:
        return "shell"
    if text.startswith(_SUMMARY):
        return "summary"
    if text.startswith(_CONTEXT) or _DIRECTORIES.match(text):
        return "context"
    if text in _HOST_MESSAGES or text.startswith(_HOST_PHRASES) or (text and not _own_parts(content)):
        return "host"
    return "user"


def shell_command(text: str) -> tuple[str, str]:
    """The command that the user ran with `!`, and its output, out of the message that the host makes of them."""
    command, _, output = text.strip().removeprefix(_SHELL).partition(_SHELL_RESULT)
    return command, output.removesuffix("```").rstrip("\n")


def typed_words(message: Json, save: SavePicture | None) -> tuple[str, str | None]:
    """What the user typed, and why that is not certain, if it is not."""
    parts = _own_parts(message.get("content"))
    own = _without_files(parts, save)
    shown = plain(message.get("displayContent"), save) if message.get("displayContent") else ""
    if shown.strip():
        return _displayed(shown, plain(own[:1], save))
    words = plain(own, save).strip("\n")
    if (steering := _STEERING.match(words.strip())) is not None:
        return steering["words"].rstrip("\n"), None
    slash = _SLASH.match(words.strip())
    if not words.strip() or words.strip() == "?" or (slash is not None and slash["name"] in _COMMANDS):
        return "", None
    texts = [one for one in own if plain([one]).strip() and (not isinstance(one, dict) or "text" in one)]
    if len(texts) > 1 or any(_ATTACHED in plain([part]) for part in parts):
        return words, IN_PARTS
    block = host_block(words)
    return words, None if block is None else f"it holds a block of tags (<{block}>)"


def _own_parts(content: object) -> list[object]:
    """The parts of a content that are not wholly a block of the host."""
    parts = content if isinstance(content, list) else [content]
    return [part for part in parts if not _is_host_part(plain([part]).strip())]


def _is_host_part(text: str) -> bool:
    return any(text.startswith(f"<{name}>") and text.endswith(f"</{name}>") for name in _HOST_PARTS)


def _without_files(parts: list[object], save: SavePicture | None) -> list[object]:
    """The parts before the content of the files that the user referred to."""
    first = next((number for number, part in enumerate(parts) if _FILES.search(plain([part]))), None)
    if first is None:
        return parts
    return [*parts[:first], _FILES.split(plain([parts[first]], save), maxsplit=1)[0]]


def _displayed(shown: str, content: str) -> tuple[str, str | None]:
    """What was displayed as typed. Lines of the content that look like commands and were not displayed are shown, for they may
    be the user's all the same; then nothing in the message runs.
    """
    if "::" not in content or shown.lstrip().startswith("/"):
        return shown.strip("\n"), None
    displayed = {line.strip() for line in shown.split("\n")}
    hidden = [line for _, line in lines_outside_fences(content) if line.strip().startswith("::")]
    hidden = [line for line in hidden if line.strip() not in displayed]
    if not hidden:
        return shown.strip("\n"), None
    return "\n".join([shown, *hidden]).strip("\n"), NOT_SHOWN


def plain(content: object, save: SavePicture | None = None) -> str:
    """A message's content without thoughts: a text, or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return as_text(content)
    text, is_apart = "", False
    for part in content:
        shown = part_text(part, save)
        was_apart, is_apart = is_apart, isinstance(part, dict) and any(key in part for key in _DATA)
        # What stands for a picture has a line of its own: after a command it would be a part of the command's argument.
        is_glued = text and shown and not (text.endswith("\n") or shown.startswith("\n"))
        text += "\n\n" + shown if is_glued and (is_apart or was_apart) else shown
    return text


def part_text(part: object, save: SavePicture | None = None) -> str:
    """The text of a part, or what stands for its picture or file; nothing for a thought or a call."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = text_of(part, "text")
    if text is not None:
        return "" if part.get("thought") else text
    for key in _DATA:
        data = object_of(part, key)
        if data:
            return _file(data, save)
    return ""


def _file(data: Json, save: SavePicture | None) -> str:
    media, encoded = text_of(data, "mimeType"), text_of(data, "data")
    if save is not None and media and encoded:
        return save(media, encoded)
    name = text_of(data, "fileUri") or text_of(data, "displayName") or ""
    return placeholder("image", media or "", name)
