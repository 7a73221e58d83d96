"""Why `runyard batch` ends before its work is done; the exit code says which kind it was."""

import click


class BatchRefused(click.ClickException):
    """The server, or this command before it, refuses what it was given."""

    exit_code = 2


class ServerUnreachable(click.ClickException):
    """No server, or not one that speaks the interface."""

    exit_code = 1


class BatchTooLarge(Exception):
    """The server takes no body of this size; a smaller batch may pass."""


class ConnectionLost(Exception):
    """The connection broke, or the server is just being started anew; the same request may well succeed later."""
