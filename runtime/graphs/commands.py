"""From the JSON of a run to what a graph is called with."""

from collections.abc import Mapping
from typing import Any

from langgraph.types import Command, Send


def graph_input(kwargs: Mapping[str, Any]) -> Any:
    """What the graph is called with: the command if there is one, else the input (None continues)."""
    command = kwargs.get("command")
    return graph_command(command) if command else kwargs.get("input")


def graph_command(command: Mapping[str, Any]) -> Command[Any]:
    """A command of the interface (`update`, `resume`, `goto`) as LangGraph takes it."""
    update = command.get("update")
    if isinstance(update, list):  # JSON's way of writing pairs
        update = [tuple(pair) if isinstance(pair, list) and len(pair) == 2 else pair for pair in update]
    return Command(update=update, resume=command.get("resume"), goto=_goto(command.get("goto")))


def _goto(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_goto(item) for item in raw]
    if isinstance(raw, Mapping):
        return Send(raw["node"], raw.get("input"))
    return raw or ()
