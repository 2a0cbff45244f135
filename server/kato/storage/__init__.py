"""What Kato keeps about sessions: the SQLite journal, and the same ledger in memory for `journal: false`."""
