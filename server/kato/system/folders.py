"""Folders as the system sees them."""

import os
import sys

from kato.core import paths


def is_inside(path: str | None, folder: str) -> bool:
    """Whether an absolute path is this folder or lies in it, links resolved. False where that cannot be known."""
    if path is None or not os.path.isabs(path):  # noqa: PTH117 - of this platform, as realpath takes it
        return False
    try:
        inner, outer = os.path.realpath(path), os.path.realpath(folder)
    except (OSError, ValueError):  # a NUL, or what the file system's encoding has no bytes for
        return False
    return paths.parts_below(outer, inner, platform=sys.platform) is not None
