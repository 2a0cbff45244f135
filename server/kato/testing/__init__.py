"""For the tests of assistants: checks a reader against the contract (docs/adding-an-assistant.md). Needs no test framework."""

from kato.testing.conformance import check_reader
from kato.testing.reading import commands_of, read

__all__ = ["check_reader", "commands_of", "read"]
