"""`kato serve` with faults: `python -m faults.launcher serve …`, the plan in the environment (see `injection`)."""

import os
import sys

from faults import injection


def main() -> int:
    """Installs the faults, then runs Kato's command line."""
    plan = injection.from_environment(os.environ)
    if plan is not None:
        injection.install(plan)
        if plan.checkpoint_bytes:
            from kato.core import limits

            vars(limits)["JOURNAL_CHECKPOINT_BYTES"] = plan.checkpoint_bytes
    from kato.__main__ import main as kato

    return kato()


if __name__ == "__main__":
    sys.exit(main())
