"""The subcommands of `kato`, one module each, which `kato.cli.main.COMMANDS` lists.

Each module has `add_arguments`, which completes the parser of the subcommand, and `run`, which gets the parsed arguments and
returns the exit code. Rule: a module is imported only when its subcommand is used.
"""
