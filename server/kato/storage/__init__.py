"""Storage: the ledger of sessions, events, recordings and notes, as a SQLite journal or, with `journal: false`, in memory.

journal   the durable ledger             memory    the ledger in memory, with `undo` for its transactions
"""
