"""`runyard completion`: what a shell needs to complete commands, options and ids of batches."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_RUNYARD_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For this session: eval "$(runyard completion bash)", or zsh in its place; for fish: runyard completion fish |
    source. Put that line into the shell's start file for all sessions. Ids of batches are asked of the server, which
    RUNYARD_URL names.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "runyard", VARIABLE).source())
