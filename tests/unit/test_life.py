"""The server's life: which event leads from which state to which, and what is refused in which."""

import pytest

from kato.lsp.life import INVALID_REQUEST, NOT_INITIALIZED, REFUSALS, Event, Life, State

#: What the protocol asks for, state by state. What is not here is not allowed and changes nothing.
EXPECTED = {
    State.STARTING: {Event.INITIALIZE: State.INITIALIZED, Event.END: State.ENDING},
    State.INITIALIZED: {
        Event.INITIALIZED: State.RUNNING,
        Event.SHUTDOWN: State.SHUT_DOWN,
        Event.END: State.ENDING,
    },
    State.RUNNING: {Event.SHUTDOWN: State.SHUT_DOWN, Event.END: State.ENDING},
    State.SHUT_DOWN: {Event.END: State.ENDING},
    State.ENDING: {Event.FINISH: State.ENDED},
    State.ENDED: {},
}


def life_in(state: State) -> Life:
    life = Life()
    life.state = state
    return life


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_an_event_leads_to_the_state_of_the_table_or_changes_nothing(state: State, event: Event) -> None:
    life = life_in(state)
    expected = EXPECTED[state].get(event)
    assert life.may(event) is (expected is not None)
    assert life.move(event) is (expected is not None)
    assert life.state is (state if expected is None else expected)


def test_a_server_starts_and_every_state_but_the_last_leads_to_the_end() -> None:
    assert Life().state is State.STARTING
    assert {state for state in State if life_in(state).is_ending} == {State.ENDING, State.ENDED}
    for state in State:
        life = life_in(state)
        life.move(Event.END)
        life.move(Event.FINISH)
        assert life.state is State.ENDED


@pytest.mark.parametrize(
    ("state", "initialize", "others"),
    [
        (State.STARTING, None, NOT_INITIALIZED),
        (State.INITIALIZED, INVALID_REQUEST, None),
        (State.RUNNING, INVALID_REQUEST, None),
        (State.SHUT_DOWN, INVALID_REQUEST, INVALID_REQUEST),
        (State.ENDING, INVALID_REQUEST, INVALID_REQUEST),
        (State.ENDED, INVALID_REQUEST, INVALID_REQUEST),
    ],
)
def test_requests_are_refused_by_the_state(state: State, initialize: int | None, others: int | None) -> None:
    life = life_in(state)
    refusals = life.refusal(is_initialize=True), life.refusal(is_initialize=False)
    assert tuple(None if one is None else one[0] for one in refusals) == (initialize, others)
    assert REFUSALS.keys() == {state for state in State if life_in(state).refusal(is_initialize=False)}
