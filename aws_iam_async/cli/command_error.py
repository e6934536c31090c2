"""What stops a command."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """Something does not work; the message is for the user, who sees no traceback."""
