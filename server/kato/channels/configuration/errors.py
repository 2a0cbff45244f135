"""Why a configuration file is left as it is."""

from kato.core.errors import OperatorError


class NotUnderstood(OperatorError):
    """The file is not what its assistant reads: it is left as it is."""
