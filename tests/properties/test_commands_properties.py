"""Properties of the command grammar."""

import hypothesis.strategies as st
from hypothesis import given

from kato.core.commands import COMMAND_NAMES, COMMANDS
from kato.core.grammar import parse
from kato.core.text import with_newlines

WITHOUT_PATH = {command.name for command in COMMANDS if command.path == "none"}
TEXT = st.text() | st.lists(
    st.sampled_from(
        ["::capture x.md", "::stop", "```", "~~~", "> ::stop", "text", "", "::export", "::captrue"]
    )
    | st.text(alphabet=":`~>- captureexportstop\t\r\"'@[]()<>.", max_size=20)
).map("\n".join)


@given(TEXT)
def test_any_text_gives_commands_and_problems_in_the_order_of_its_lines(text: str) -> None:
    commands, problems = parse(text)
    for found in (commands, problems):
        lines = [one.line or 0 for one in found]
        assert lines == sorted(set(lines))
        assert all(1 <= line <= with_newlines(text).count("\n") + 1 for line in lines)
    assert not {one.line for one in commands} & {one.line for one in problems}


@given(TEXT)
def test_what_was_found_is_found_again_in_its_own_line(text: str) -> None:
    lines = with_newlines(text).split("\n")
    for command in parse(text)[0]:
        assert command.line is not None
        (again,), problems = parse(lines[command.line - 1])
        assert problems == []
        assert (again.name, again.argument) == (command.name, command.argument)


@given(TEXT, st.sampled_from("`~"), st.integers(3, 6))
def test_nothing_inside_a_fence_is_a_command(text: str, char: str, length: int) -> None:
    inside = "\n".join(line for line in text.split("\n") if char * 3 not in line)
    fence = char * length
    assert parse(f"{fence}\n{inside}\n{fence}") == ([], [])


@given(
    st.sampled_from(COMMAND_NAMES),
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=50),
)
def test_a_quoted_path_comes_out_as_it_went_in(name: str, path: str) -> None:
    path = f"/{path}x"
    commands, problems = parse(f'::{name} "{path}"')
    if name in WITHOUT_PATH:
        assert commands == []
        assert len(problems) == 1
    else:
        assert [one.argument for one in commands] == [path]


@given(st.lists(st.text(alphabet=st.characters(exclude_characters=":\n"), max_size=30)))
def test_text_without_a_double_colon_holds_no_command(lines: list[str]) -> None:
    assert parse("\n".join(lines)) == ([], [])
