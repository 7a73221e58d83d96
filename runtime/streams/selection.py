"""Which events of a run somebody wants, and how they are shown."""

from collections.abc import Callable, Sequence

from runyard.runtime.streams.events import Event
from runyard.runtime.streams.protocol_events import plain_event

View = Callable[[Event], Event | None]
"""Shows an event of a run to somebody; None: it is not wanted."""


def view(modes: Sequence[str] | None, namespace: str | None, *, protocol: bool = False) -> View | None:
    """Shows the events that are wanted; None when all are, as they are. Beginnings and errors always are.

    modes: stream modes. namespace: that of a subgraph, as its events name it behind a "|"; those below it belong to it.
    protocol: the run tells of itself by the thread event protocol.
    """
    wanted = _selection(modes, namespace)
    if wanted is None:
        return plain_event if protocol else None
    selected = wanted

    def shown(event: Event) -> Event | None:
        plain = plain_event(event) if protocol else event
        return plain if plain is not None and selected(plain) else None

    return shown


def _selection(modes: Sequence[str] | None, namespace: str | None) -> Callable[[Event], bool] | None:
    if not modes and not namespace:
        return None
    chosen = frozenset(modes or ())

    def wanted(event: Event) -> bool:
        name, _, within = event.name.partition("|")
        kind = name.partition("/")[0]
        if kind == "metadata" or (kind == "error" and not within):
            return True
        if namespace and within != namespace and not within.startswith(f"{namespace}|"):
            return False
        return not chosen or kind in chosen or (kind == "messages" and "messages-tuple" in chosen) or kind == "error"

    return wanted
