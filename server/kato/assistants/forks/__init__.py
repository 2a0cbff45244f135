"""Assistants that keep their logs as another one does: each is one declaration in `table`.

    fork.py         makes an assistant of such a declaration
    table.py        the declarations
    iflow.py        replies that are written several times, as they grow
    records.py      records of another form, translated to those of Claude Code

A fork has a name, a title and places of its own. All else is its parent's, unless its declaration says otherwise. docs/providers.md
says which versions were seen.
"""

from kato.assistants.forks.table import FORKS

__all__ = ["FORKS"]
