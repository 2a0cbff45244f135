"""The conformance kit: checks a reader of an assistant against the contract (docs/adding-an-assistant.md).

It needs no test framework, so that plugins can use it in any.
"""

from kato.testing.conformance import check_reader
from kato.testing.reading import commands_of, read

__all__ = ["check_reader", "commands_of", "read"]
