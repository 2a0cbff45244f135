"""Properties of masking: lines stay, twice is once, a text without secrets is as it was."""

import hypothesis.strategies as st
from hypothesis import example, given

from kato.notes.redaction import MARK, masked, may_hold_secrets

KEY = "-----BEGIN PRIVATE KEY-----"
PARTS = st.sampled_from([
    "\n", " ", "    ", "> ", "```\n", '"', "'", "=", ":", "-", ".", "a", "é\u2028", "…", "::capture n.md", "[redacted: x]",
    KEY, KEY.replace("BEGIN", "END"), "aB3dE5fG7hJ9kL1mN2pQ4rS6", "gh" + "p_aBcD1234567890efGHijKLmnOPqrSTuvWX12",
    "AKI" + "AQ3EGRIVX5GZ7KLMN", "eyJhbGciOiJIUzI1NiJ9", "https://user:", "s3cr3tPass", "@example.org", "API_KEY=", "Bearer ",
    "sk-ant-api03-", "AccountKey=",
])  # fmt: skip
TEXTS = st.lists(PARTS, max_size=30).map("".join) | st.text(max_size=200)


@given(TEXTS)
def test_masking_keeps_the_number_of_lines(text: str) -> None:
    assert masked(text)[0].count("\n") == text.count("\n")


@given(TEXTS)
def test_a_masked_text_is_not_masked_again(text: str) -> None:
    shown = masked(text)[0]
    assert masked(shown) == (shown, 0)


@given(TEXTS)
@example("API_KEY=eyJhbGciOiJIUzI1NiJ9=[redacted: x]")
def test_what_is_not_counted_is_not_changed(text: str) -> None:
    shown, count = masked(text)
    assert (shown == text) == (count == 0)
    assert shown.count(MARK) - text.count(MARK) == count
    if not may_hold_secrets(text):
        assert count == 0


@given(TEXTS)
def test_fences_stay(text: str) -> None:
    assert masked(text)[0].count("```") == text.count("```")
