"""A server as pygls' documentation shows it: handlers that do nothing, on the same pygls, without code of Kato's."""

from typing import Any

from pygls.lsp.server import LanguageServer

server = LanguageServer("stock", "1")


@server.feature("kato/events")
def on_events(_params: Any) -> None:
    """Takes what comes."""


@server.feature("kato/memory")
def on_memory(_params: Any) -> dict[str, int]:
    """The request whose answer shows that all messages before it were handled."""
    return {}


if __name__ == "__main__":
    server.start_io()
