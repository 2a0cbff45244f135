"""Codex: converts arguments and outputs of tools to texts."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from kato.assistants.contract import Json
from kato.assistants.values import as_text, object_of, picture, text_of, without_data
from kato.core.events import ToolOutcome
from kato.core.lenient_json import loads

#: All of the output of a call that the user refused.
_REFUSED: Final = frozenset(["exec command rejected by user", "patch rejected by user"])
_RUNNING: Final = re.compile(r"Process running with session ID (\d+)")
_EXITED: Final = re.compile(r"(?:Process exited with code|Exit code:) (-?\d+)")
_BODY: Final = "\nOutput:\n"
_HEADED: Final = ("Chunk ID:", "Exit code:", "Wall time:")
_HEAD_CHARS_MAX: Final = 400


def arguments_of(value: object) -> object:
    """A call's arguments: the object, where they are JSON."""
    if isinstance(value, str):
        try:
            parsed = loads(value.encode())
        except ValueError:
            return value
        return parsed if isinstance(parsed, dict) else value
    return value


# --- The output of a command -----------------------------------------------------------------------------


def running_in(text: str) -> str | None:
    """The terminal's session in which a command goes on; None if it ended."""
    found = _RUNNING.search(text[:_HEAD_CHARS_MAX]) if text.startswith(_HEADED) else None
    return None if found is None else found[1]


def body_of(text: str) -> str:
    """The output without the terminal's header; a failure stays visible."""
    if not text.startswith(_HEADED):
        return text
    head, marker, body = text.partition(_BODY)
    if not marker:
        head, body = text, ""
    code = _EXITED.search(head)
    if code is None or code[1] == "0":
        return body
    return outcome_of(body, f"[exit code {code[1]}]").lstrip("\n")


class Ending(NamedTuple):
    """How a call ended, as far as its record says it."""

    outcome: ToolOutcome | None = None
    exit_code: object = None


def ending_of(text: str) -> Ending:
    """How a call ended, by the terminal's header of its output, or by Codex's own sentence in place of an output."""
    if text in _REFUSED:
        return Ending("denied")
    code = _EXITED.search(text.partition(_BODY)[0]) if text.startswith(_HEADED) else None
    return Ending() if code is None else Ending(None, code[1])


def ending_in(record: Json) -> Ending:
    """How a call ended, by the fields of its record: `status`, `exit_code`, `success`, `error`, and a result's own."""
    status, code = text_of(record, "status"), record.get("exit_code", record.get("exitCode"))
    if status == "declined":
        return Ending("denied")
    result = object_of(record, "result")
    inner = object_of(result, "Ok") or result
    failed = (
        status == "failed"
        or record.get("success") is False
        or bool(record.get("error"))
        or "Err" in result
        or inner.get("isError", inner.get("is_error")) is True
    )
    if failed:
        return Ending("error", code)
    is_known = status == "completed" or record.get("success") is True or "Ok" in result
    return Ending("ok" if is_known and not code else None, code)


def outcome_of(text: str, outcome: str) -> str:
    """An output and how it ended, in brackets; "" for a success."""
    return f"{text.rstrip()}\n{outcome}" if outcome and text.strip() else outcome or text


def outcome_in(record: Json) -> str:
    """How a command, a patch or a call ended, if it did not succeed."""
    code = record.get("exit_code", record.get("exitCode"))
    if text_of(record, "status") == "declined":
        return "[declined]"
    return f"[exit code {code}]" if isinstance(code, int) and code != 0 else ""


# --- The output of a tool --------------------------------------------------------------------------------


class Output(NamedTuple):
    """A tool's output as text, and how the call ended."""

    text: str
    ending: Ending


def read_output(value: object) -> Output:
    """A tool's output, without its JSON envelope and without data such as sounds."""
    outer = Ending()
    if isinstance(value, dict) and "content" in value:
        outer, value = ending_in(value), value["content"]
    text = as_text(_readable(value))
    if text.startswith('{"output":'):
        parsed = arguments_of(text)
        inner = text_of(parsed, "output") if isinstance(parsed, dict) else None
        if isinstance(parsed, dict) and inner is not None:
            metadata = object_of(parsed, "metadata")
            return Output(outcome_of(inner, outcome_in(metadata)), ending_in(metadata))
    found = ending_of(text)
    return Output(text, outer if found == Ending() else found)


def output_of(value: object) -> str:
    """A tool's output as text."""
    return read_output(value).text


def pages_of(results: object) -> str:
    """The results of a search on the web as text: of each page its title, its address and an excerpt."""
    if not isinstance(results, list):
        return output_of(results)
    return "\n\n".join(text for one in results if (text := _page(one)))


def _page(one: object) -> str:
    parts = [text_of(one, name) for name in ("title", "url", "snippet")] if isinstance(one, dict) else []
    return "\n".join(part for part in parts if part) or output_of([one])


def both_streams(record: Json) -> str:
    """What a program wrote to its outputs."""
    return "\n".join(part for part in (text_of(record, "stdout"), text_of(record, "stderr")) if part)


def _readable(value: Any) -> Any:
    """A tool's output without data, and without what is encrypted. Blocks with pictures stay: they become placeholders."""
    if isinstance(value, list):
        return [_block(one) for one in value if not _is_encrypted(one)]
    return _block(value) if isinstance(value, dict) else value


def _block(value: Any) -> Any:
    if isinstance(value, dict) and text_of(value, "type") == "inputImage":
        value = {"type": "input_image", "image_url": text_of(value, "imageUrl")}
    return value if isinstance(value, dict) and picture(value) is not None else without_data(value)


def _is_encrypted(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") == "encrypted_content"


def patch_of(changes: Mapping[str, object]) -> str:
    """Changes of files as one text: a line a file, then what it gained and lost."""
    lines = []
    for path, change in changes.items():
        about: Json = change if isinstance(change, dict) else {}
        moved = text_of(about, "move_path")
        lines.append(f"*** {text_of(about, 'type') or 'change'}: {path}{f' -> {moved}' if moved else ''}")
        text = text_of(about, "unified_diff") or text_of(about, "content") or ""
        lines += [text.rstrip("\n")] if text else []
    return "\n".join(lines)
