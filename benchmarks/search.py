"""A search in 1,000 conversations of 1.3 MB each, against reading every event: the index, warm, as a server answers."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import orjson

from benchmarks import corpus, peers
from benchmarks.rows import Row, middle
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.queries import Query
from kato.core.records import SessionMeta
from kato.storage.journal import Journal
from kato.storage.search import Indexer
from kato.system.clock import now_ms

_EVENTS: Final = 300
_SYLLABLES: Final = "ka to mi sol ver lo ad ing pre fix con text re qu est an da ta ble ter ion al ex po rt st ack fr ame in".split()
_WORDS: Final = 40_000
#: Common and rare words, several words, phrases, beginnings of words, words that no conversation has.
_QUERIES: Final = (
    "kato", "server", "conto", "ka", "kato server", '"ka to"', "prefix*", "retext*", "misercon adintext", "xyzzy",
)  # fmt: skip


def search(quick: bool) -> list[Row]:
    """Each query once cold and five times warm; the slowest one counts."""
    conversations = 50 if quick else 1_000
    with peers.folder() as home:
        _write(home, conversations)
        indexer = Indexer(home)
        started = time.perf_counter()
        while indexer.step():
            pass
        indexing = time.perf_counter() - started
        taken = {query: _answered(indexer, query) for query in _QUERIES}
        size = indexer.status().bytes
        indexer.close()
        reading = _read_all(home)
        journal = sum(path.stat().st_size for path in home.glob("journal.sqlite3*"))
    slowest = max(taken.values())
    figures = {query: round(seconds * 1000, 1) for query, seconds in taken.items()}
    figures |= {
        "indexing_s": round(indexing),
        "index_mb": round(size / 1e6),
        "journal_mb": round(journal / 1e6),
    }
    what = f"search in {conversations:,} conversations ({journal / 1e9:.1f} GB), the slowest of {len(_QUERIES)} queries"
    return [
        Row(what, "", slowest * 1000, 100.0, "at most", "ms", figures),
        Row(
            "the same",
            "reading every event",
            slowest / reading,
            0.1,
            "at most",
            figures={"reading_s": round(reading, 1)},
        ),
    ]


def _answered(indexer: Indexer, query: str) -> float:
    """Seconds of an answer, the median of the warm ones."""
    parsed, seconds = Query.parse(query), []
    for _ in range(6):
        started = time.perf_counter()
        indexer.search(parsed, scope="all", provider=None, is_in_folder=None, since_ms=None, limit=20)
        seconds.append(time.perf_counter() - started)
    return middle(seconds[1:])


def _read_all(home: Path) -> float:
    """Seconds of a search without an index: every event is read, and a word looked for."""
    journal = Journal.open(home, now_ms=now_ms)
    started = time.perf_counter()
    for session, _ in journal.status_sessions(since_ms=None, limit=1_000_000):
        for _, lines in journal.read_pieces(session.key):
            assert b"no such word" not in lines
    seconds = time.perf_counter() - started
    journal.close()
    return seconds


def _write(home: Path, conversations: int) -> None:
    words = _words(random.Random(1))
    journal = Journal.open(home, now_ms=now_ms)
    for number in range(conversations):
        key = SessionKey(corpus.PROVIDER, f"session-{number:05d}")
        events = list(_conversation(key.session_id, words))
        ids = [event["eventId"] for event in events]
        journal.append(key, ids, Lines.of(map(orjson.dumps, events)), SessionMeta(now_ms()))
        journal.commit()
    journal.close()


def _words(chance: random.Random) -> Callable[[int], str]:
    """Gives texts of so many words. Their frequencies follow Zipf's law, as those of a language do."""
    vocabulary = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(_WORDS)]
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(_WORDS)))
    pool = chance.choices(vocabulary, cum_weights=weights, k=2_000_000)

    def words(count: int) -> str:
        start = chance.randrange(len(pool) - count)
        return " ".join(pool[start : start + count])

    return words


def _conversation(session: str, words: Callable[[int], str]) -> Iterator[corpus.Event]:
    for number in range(_EVENTS):
        event: corpus.Event = {
            "eventId": f"{session}-{number}", "provider": corpus.PROVIDER, "sessionId": session,
            "timestamp": f"2026-03-01T10:{number // 60:02d}:{number % 60:02d}Z", "source": {"providerEventType": "record"},
        }  # fmt: skip
        if number % 10 == 0:
            yield event | {"kind": "message.user", "role": "user", "content": words(40)}
        elif number % 10 == 9:
            yield event | {
                "kind": "message.assistant",
                "role": "assistant",
                "content": words(250),
                "phase": "final",
            }
        elif number % 2:
            given = {"file_path": f"/work/{words(1)}.py", "new_string": words(120)}
            yield event | {"kind": "tool.call", "toolCallId": f"c{number}", "name": "Edit", "input": given}
        else:
            yield event | {"kind": "tool.result", "toolCallId": f"c{number - 1}", "result": words(1200)}
