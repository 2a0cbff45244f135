"""The entry point of `python -m kato` and of the console script `kato`."""

import sys


def main() -> int:
    """Runs the command line; the exit code."""
    from kato.cli.main import run  # noqa: PLC0415 - so that an error at import is seen with a traceback of its own

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
