"""What the storage port may ask of a backend."""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import langgraph.store.base
import pytest

from runyard.runtime.storage.port.storage import Storage

INSTANT = re.compile(r"now|time|at|since|until|due|deadline|\w+_(at|time|since|until|due)")
DURATION = re.compile(r"(\w+_)?seconds|older_than")
NAMED_BY_CLIENTS = {"events.place"}
"""The instant is part of an event's id, which a client sends back."""


def methods() -> Iterator[tuple[str, Any]]:
    for part, value in vars(Storage).items():
        if isinstance(value, property) and value.fget is not None:
            protocol = get_type_hints(value.fget)["return"]
            for name, method in vars(protocol).items():
                if not name.startswith("_") and inspect.isfunction(method):
                    yield f"{part}.{name}", method


def kinds(annotation: Any) -> set[Any]:
    """The types that an annotation is made of."""
    if isinstance(annotation, list):  # the parameters of a callable
        return set().union(*map(kinds, annotation))
    return {annotation}.union(*map(kinds, get_args(annotation)))


@pytest.mark.parametrize(("name", "method"), [pytest.param(*each, id=each[0]) for each in methods()])
def test_no_method_takes_a_point_in_time(name: str, method: Any) -> None:
    """It would be by the clock of a process, and the clocks of machines differ."""
    hints = get_type_hints(method, localns=vars(langgraph.store.base))
    hints.pop("return")
    assert not [parameter for parameter in hints if INSTANT.fullmatch(parameter)] or name in NAMED_BY_CLIENTS
    for parameter, annotation in hints.items():
        assert not kinds(annotation) & {datetime.datetime, datetime.date, datetime.time}
        if float in kinds(annotation):
            assert DURATION.fullmatch(parameter), f"{parameter}: a duration says its unit"
