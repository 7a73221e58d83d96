"""Which events of a run somebody wants."""

from collections.abc import Callable, Sequence

from runyard.runtime.streams.events import Event


def selection(modes: Sequence[str] | None, namespace: str | None) -> Callable[[Event], bool] | None:
    """Tells the events that are wanted from others; None when all are. Beginnings and errors always are.

    modes: stream modes. namespace: that of a subgraph, as its events name it behind a "|"; those below it belong to it.
    """
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
