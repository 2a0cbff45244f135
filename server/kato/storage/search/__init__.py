"""Search in the journal: an index of words (`index`), kept up to date behind the journal (`indexer`)."""

from kato.storage.search.index import SearchIndex
from kato.storage.search.indexer import Indexer

__all__ = ["Indexer", "SearchIndex"]
