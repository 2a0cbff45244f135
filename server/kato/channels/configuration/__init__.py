"""Changes to the configuration files of assistants: the user's text stays as it is around what Kato adds or removes.

jsonc       JSON, with or without comments
toml        TOML, as far as a table of Kato's own goes
files       a change as a diff, a copy of the file before the first one, a write that is whole or not at all
launcher    the command with which an assistant starts Kato
"""
