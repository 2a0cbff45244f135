"""What is masked in notes, and what must stay."""

import base64
from zoneinfo import ZoneInfo

import msgspec
import orjson
import pytest

from builders import Json, assistant, decision, info, struct, thinking, tool_call, tool_result, user
from conftest import SHARED
from kato.core.events import decode_line
from kato.notes import plain, redaction
from kato.notes.options import MarkdownOptions
from kato.notes.redaction import masked, masked_lines, masked_value
from kato.notes.transcript import Transcript

UTC = ZoneInfo("UTC")
#: Made up, in the form of the real ones. Written in parts, so that scanners of repositories pass them over.
BODY = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY"
GITHUB = "gh" + "p_aBcD1234567890efGHijKLmnOPqrSTuvWX12"
AWS = "AKI" + "AQ3EGRIVX5GZ7KLMN"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890"}', b"\x8a" * 32)
)
ROWS = "\n".join("MIIEowIBAAKCAQEA" + BODY + BODY[:16] for _ in range(6))


def private_key(kind: str = "RSA ") -> str:
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{ROWS}\nabcd==\n-----END {kind}PRIVATE KEY-----"


KINDS: list[tuple[str, str, str]] = [
    (AWS, "AWS access key", ""),
    ("wJalrXUtnFEMIxK7MDENGxbPxRfiCYzq8Tk3Lm9N", "AWS secret key", 'aws_secret_access_key = "{}"'),
    ("wJalrXUtnFEMIxK7MDENGxbPxRfiCYzq8Tk3Lm9N", "AWS secret key", "AWS_SECRET_ACCESS_KEY={}"),
    (GITHUB, "GitHub token", "git clone with {}."),
    ("gh" + "o_aBcD1234567890efGHijKLmnOPqrSTuvWX12", "GitHub OAuth token", ""),
    ("github_" + "pat_11ABCDEFG0aBcDeFgHiJkL_" + (BODY * 2)[:59], "GitHub token", ""),
    ("glp" + "at-aB3dE5fG7hJ9kL1mN2pQ", "GitLab token", ""),
    ("xox" + "b-123456789012-1234567890123-aBcDeFgHiJkLmNoPqRsTuVwX", "Slack token", ""),
    ("T0AB1CD2E/B0AB1CD2E/aBcDeFgHiJkLmNoPqRsTuVwX", "Slack webhook", "https://hooks.slack.com/services/{}"),
    (
        "sk-" + "proj-" + (BODY * 3)[:74] + "T3Blbk" + "FJ" + (BODY * 3)[:74],
        "OpenAI API key",
        "OPENAI_API_KEY={}",
    ),
    ("sk-" + "ant-api03-" + (BODY * 3)[:93] + "AA", "Anthropic API key", ""),
    ("AI" + "zaSyA1bC2dE3fG4hI5jK6lM7nO8pQ9rS0tU1v", "Google API key", "?key={}&x=1"),
    ("h" + "f_aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567", "Hugging Face token", ""),
    ("np" + "m_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789", "npm token", "//registry.npmjs.org/:_authToken={}"),
    ("py" + "pi-AgEIcHlwaS5vcmcC" + BODY * 3, "PyPI token", ""),
    ("SG" + ".aB3dE5fG7hJ9kL1mN2pQ4r." + BODY + "aB3dE5fG7hJ", "SendGrid API key", ""),
    ("sk_" + "live_aB3dE5fG7hJ9kL1mN2pQ4rS6", "Stripe key", ""),
    ("dck" + "r_pat_aBcDeFgHiJkLmNoPqRsTuVwX012", "Docker token", ""),
    ("123456789" + ":AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0", "Telegram bot token", ""),
    (JWT, "JSON Web Token", "cookie: session={};"),
    (BODY, "bearer token", "Authorization: Bearer {}"),
    ("s3cr3tPass", "password in a URL", "postgres://app:{}@db.example.org:5432/x"),
    ("hunter2", "password in a URL", "https://user:{}@example.org/"),
    ("a1B2" * 21 + "ab==", "Azure storage key", "AccountName=x;AccountKey={};Suffix=y"),
    (BODY, "secret in a variable", "export SESSION_SECRET={}"),
    (BODY, "secret in a variable", 'SESSION_SECRET="{}"'),
    (private_key(), "private key", ""),
]


@pytest.mark.parametrize(("secret", "kind", "around"), KINDS, ids=[f"{row[1]} {row[2]}" for row in KINDS])
def test_a_secret_is_shown_as_its_kind(secret: str, kind: str, around: str) -> None:
    text = (around or "the key {} is here").format(secret)
    shown, count = masked(text)
    assert count == 1
    first = shown.partition("\n")[0] + ("" if "\n" not in secret else " is here")
    assert first == (around or "the key {} is here").format(f"[redacted: {kind}]")
    assert secret not in shown


@pytest.mark.parametrize(("secret", "kind", "around"), KINDS, ids=[f"{row[1]} {row[2]}" for row in KINDS])
def test_a_secret_is_found_in_json_as_in_text(secret: str, kind: str, around: str) -> None:
    text = (around or "a line\n{}\nanother").format(secret)
    lines, count = masked_lines(msgspec.json.encode(user(text)) + b"\n")
    assert count == 1
    assert orjson.loads(lines)["content"] == masked(text)[0]


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("glp" + "at-aB3-E5fG7hJ9kL1mN2p_", "GitLab token"),
        ("dck" + "r_pat_aB-DeFgHiJkL_NoPqRsTuVwX012", "Docker token"),
        ("sk-" + "ant-api03-a-B3dE5f-G7hJ9kL1-" + (BODY * 3)[:65] + "-bcAA", "Anthropic API key"),
    ],
)
def test_a_token_may_hold_dashes_anywhere(token: str, kind: str) -> None:
    assert masked(f"x {token} y") == (f"x [redacted: {kind}] y", 1)


STAYS = [
    "3f2a9c0b1d3f2a9c0b1d3f2a9c0b1d3f2a9c0b1d",
    "commit 0123456789abcdef0123456789abcdef01234567 (HEAD -> main)",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    '"integrity": "sha512-' + "Ab3+/9Zq" * 10 + 'abcdef=="',
    "019e1625-789d-76c0-80ab-3724b5ddb799",
    "![image](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA" + "AKIb3dE5" * 64 + "=)",
    "toolu_01UQVYfbLvMsr7zS8HBCPUTf and call_aB3dE5fG7hJ9kL1mN2pQ4rS6",
    "req_011CSHoEeqs5C35K2UUqR7Fy",
    "API_KEY=your_api_key_here",
    "export OPENAI_API_KEY=$OPENAI_API_KEY",
    "TOKEN=${{ secrets.GITHUB_TOKEN }}",
    'password = "correct horse"',
    "env.API_KEY = apiKeyValue; const token = await credentials.getToken()",
    "https://example.org:8080/@scope/package and git@github.com:org/repo.git",
    "postgres://user:password@localhost/db and https://user:$PASSWORD@example.org",
    "https://user:pass@example.org:8080/path?query#hash",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB" + BODY + " me@example.org",
    "-----BEGIN CERTIFICATE-----\n" + ROWS + "\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n" + ROWS + "\n-----END PUBLIC KEY-----",
    'if "-----BEGIN PRIVATE KEY-----" in text: look for -----END PRIVATE KEY-----',
    "the_quick_brown_fox_jumps_over_the_lazy_dog_in_a_very_long_function_name",
    "a-b-c-d1234567890abcdef1234-and-a-very-long-css-class-name__element--modifier",
    "pkg:npm/%40angular/core@12.3.1?checksum=sha1:0123456789abcdef0123456789abcdef01234567",
]


@pytest.mark.parametrize("text", STAYS)
def test_what_is_not_a_secret_stays(text: str) -> None:
    assert masked(text) == (text, 0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the samples are not here")
def test_nothing_is_masked_in_the_samples() -> None:
    found = []
    for path in sorted((SHARED / "samples").rglob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                value = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if masked_value(value)[1]:
                found.append(path.name)
    assert found == []


def test_a_private_key_keeps_its_lines_and_their_indentation() -> None:
    key = private_key("OPENSSH ").replace("\n", "\n    ")
    shown, count = masked(f"    {key}\nafter")
    lines = shown.split("\n")
    assert count == 1
    assert lines == ["    [redacted: private key]", *["    …"] * (key.count("\n")), "after"]


def test_a_private_key_whose_end_is_missing_is_masked_as_far_as_it_goes() -> None:
    shown, count = masked(private_key().partition("\nabcd")[0] + "\n... 20 lines omitted\n")
    assert count == 1
    assert "MIIE" not in shown
    assert shown.endswith("…\n... 20 lines omitted\n")


def test_a_private_key_in_json_is_masked() -> None:
    text = msgspec.json.encode({"private_key": private_key("")}).decode()
    assert masked(text) == ('{"private_key":"[redacted: private key]"}', 1)


def test_a_secret_is_found_anywhere_in_a_long_line() -> None:
    for before in (0, 3000, 4060, 4090, 4100, 20_000):
        text = "x " * (before // 2) + GITHUB + " y" * 3000
        assert masked(text) == (text.replace(GITHUB, "[redacted: GitHub token]"), 1)
    several = (GITHUB + " z" * 700 + " ") * 20
    assert masked(several)[1] == 20


def test_arguments_are_masked_at_any_depth_and_keys_stay() -> None:
    given = {"command": f"curl -u {GITHUB}", "list": [1, None, {"deep": AWS}], GITHUB: "key"}
    shown, count = masked_value(given)
    assert count == 2
    assert shown["command"] == "curl -u [redacted: GitHub token]"
    assert shown["list"] == [1, None, {"deep": "[redacted: AWS access key]"}]
    assert GITHUB in shown


def test_lines_of_json_stay_json_and_those_without_secrets_keep_their_bytes() -> None:
    plain_line = orjson.dumps(user("nothing here")).replace(b":", b" : ", 1) + b"\n"
    secret = orjson.dumps(assistant(f"token {GITHUB}", 1)) + b"\n"
    lines, count = masked_lines(plain_line + secret)
    assert count == 1
    assert lines.startswith(plain_line)
    assert orjson.loads(lines.splitlines()[1]) == assistant("token [redacted: GitHub token]", 1)


# --- In a transcript ------------------------------------------------------------------------------------

FULL = MarkdownOptions(include_thinking=True, tool_calls="full", include_system_events=True)
EVERYWHERE: list[Json] = [
    user(f"use {GITHUB}"),
    assistant(f"I use {GITHUB}", 1),
    thinking(f"{GITHUB}?", 2),
    tool_call("Bash", 3, call="a", input={"command": f"curl -H 'Authorization: token {GITHUB}'"}),
    tool_result(f"token: {GITHUB}", 4, call="a"),
    tool_call("Write", 5, call="b", input={"file_path": "/x/.env", "content": f"A={GITHUB}\n"}),
    tool_result("done", 6, call="b"),
    info(f"compacted {GITHUB}", 7, subtype="compaction"),
    decision(
        f"with {GITHUB}",
        8,
        metadata={"question": GITHUB, "options": [{"label": GITHUB}], "answer": GITHUB, "notes": GITHUB},
    ),
]


def render(events: list[Json], options: MarkdownOptions) -> tuple[str, int]:
    transcript = Transcript(options, UTC)
    text = "".join(transcript.feed(struct(one)) for one in events) + transcript.finish()
    return text, transcript.facts.redactions


def test_secrets_are_masked_in_all_that_a_transcript_shows() -> None:
    text, count = render(EVERYWHERE, FULL)
    assert GITHUB not in text
    assert text.count("[redacted: GitHub token]") >= 10
    assert count >= 10
    assert GITHUB in render(EVERYWHERE, msgspec.structs.replace(FULL, redact_secrets=False))[0]


def test_the_line_that_describes_a_call_holds_no_part_of_a_secret() -> None:
    token = "gh" + "p_aBcD1234567890efGHijKLmnOPqrSTuvWX12"
    whole = tool_call("lookUp", 1, description=f"Look up {token}")
    cut = tool_call("lookUp", 1, description=f"Look up {token[:20]}…")
    for call in (whole, cut):
        for options in (MarkdownOptions(), MarkdownOptions(tool_calls="full")):
            transcript = Transcript(options, ZoneInfo("UTC"))
            text = "".join(map(transcript.feed, transcript.read(orjson.dumps(call)))) + transcript.finish()
            assert "lookUp" in text
            assert token[:12] not in text


def test_a_summary_counts_what_it_shows() -> None:
    text, count = render(EVERYWHERE[3:7], MarkdownOptions(tool_calls="summary"))
    assert GITHUB[:12] not in text
    assert text.count("[redacted:") == count == 1


@pytest.mark.parametrize("options", [MarkdownOptions(), FULL])
def test_stored_events_are_masked_as_events_are(options: MarkdownOptions) -> None:
    transcript = Transcript(options, UTC)
    lines = b"".join(orjson.dumps(one) + b"\n" for one in EVERYWHERE)
    text = "".join(map(transcript.feed, transcript.read(lines))) + transcript.finish()
    assert (text, transcript.facts.redactions) == render(EVERYWHERE, options)
    assert "[redacted: GitHub token]" in text
    assert GITHUB[:12] not in text


def test_a_message_that_is_cut_inside_a_key_is_masked_as_the_whole() -> None:
    message = struct(user(f"before\n{private_key()}\n::capture\nafter {GITHUB}"))
    whole = Transcript(MarkdownOptions(), UTC)
    text = whole.feed(message)
    assert "MIIE" not in text
    for line in range(1, 13):
        first = Transcript(MarkdownOptions(), UTC)
        start = first.feed(message, through_line=line)
        rest = Transcript(MarkdownOptions(), UTC, first.state).feed(message, after_line=line)
        assert start + rest == text
        assert first.facts.redactions == start.count("[redacted:")


def test_plain_text_is_masked_by_what_it_is_given() -> None:
    events = [decode_line(orjson.dumps(one)) for one in EVERYWHERE]
    text = "".join(plain.pieces(events, UTC, lambda text: redaction.masked(text)[0]))
    assert GITHUB not in text
