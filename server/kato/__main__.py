"""The entry point of `python -m kato` and of the console script `kato`."""

import sys


def main() -> int:
    """Runs the command line; the exit code."""
    if sys.argv[1:2] == ["hook"]:
        from kato.channels.hooks.entry import main as hook  # noqa: PLC0415 - a host waits for it with each prompt

        return hook(sys.argv[2:])
    if sys.argv[1:2] == ["acp"]:
        from kato.channels.acp import entry  # noqa: PLC0415 - an editor waits for the agent behind it

        started = entry.parse(sys.argv[2:])
        if started is not None:
            return entry.run(started)
    from kato.cli.main import run  # noqa: PLC0415 - so that an error at import is seen with a traceback of its own

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
