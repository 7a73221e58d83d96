"""The port itself: what clients read or write cannot be asked for without saying how far the caller reaches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage

OF_SERVER = {
    "queue": "workers claim and finish runs",
    "workers": "workers live and die",
    "deliveries": "maintenance calls webhooks",
    "events": "workers write them; they are read for those whom a scope has let in to their run or thread",
    "sealed": "values are encrypted anew where they stand, whoever's they are",
    "capabilities": "what the backend can, which is no data",
    "checkpoints": "workers write them; they are read for those whom a scope has let in to their thread",
    "sign_ins": "they say who the caller is, from which a scope follows; a secret of the browser's finds one",
}
"""Parts of storage that clients never reach by themselves, and why."""

MAINTENANCE = {
    "runs.forget_outcomes",
    "threads.remove_leftovers",
    "threads.unsettled",
    "threads.settle",
    "threads.delete_expired",
    "threads.history_expired",
    "threads.postpone_expiry",
    "assistants.ensure_system",
    "store.ready",
    "store.expire",
    "store.count_unindexed",
    "store.unindexed",
    "store.index_items",
    "crons.due",
    "crons.fire",
    "batches.stop_some",
    "batches.cancelled",
    "batches.end_late",
    "batches.next_late",
    "batches.forget",
    "batches.remove_leftovers",
    "idempotency.forget",
    "results.expire",
    "results.shrink",
}
"""Operations of the other parts that the server makes by itself, on what is whoever's."""


def operations() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Those of all parts that clients reach, by part and name."""
    for part, member in vars(Storage).items():
        if isinstance(member, property) and part not in OF_SERVER:
            assert member.fget is not None
            protocol = get_type_hints(member.fget)["return"]
            for name, operation in vars(protocol).items():
                if not name.startswith("_"):
                    yield f"{part}.{name}", operation


def asks_for_scope(operation: Callable[..., Any]) -> bool:
    _, *parameters = inspect.signature(operation).parameters.values()
    return (
        bool(parameters)
        and get_type_hints(operation).get(parameters[0].name) is Scope
        and parameters[0].default is inspect.Parameter.empty
    )


def test_what_clients_reach_asks_for_a_scope_first() -> None:
    without = {name for name, operation in operations() if not asks_for_scope(operation)}
    assert without == MAINTENANCE


def test_the_parts_of_the_server_are_parts_of_storage() -> None:
    assert OF_SERVER.keys() < vars(Storage).keys()
