"""Answering objects in part: without what is absent, or with only the fields that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from runyard.generated.models import Thread
from runyard.handlers.replies import Header

if TYPE_CHECKING:
    from runyard.runtime.page import Page

# The interface leaves these out of threads that have none; null is not an object.
_OPTIONAL = frozenset(("interrupts", "ttl", "extracted"))
_THREAD_FIELDS = tuple(field.name for field in fields(Thread))


def selected(items: Iterable[Any], select: Sequence[str] | None) -> list[Any]:
    """The items themselves, or mappings with only the fields named by `select`."""
    if select is None:
        return list(items)
    return [{name: getattr(item, name) for name in select} for item in items]


def thread_part(thread: Thread, select: Iterable[str] | None = None) -> dict[str, Any]:
    """A thread as a mapping, without what it does not have, and with only the fields named by `select`."""
    values = ((name, getattr(thread, name)) for name in (_THREAD_FIELDS if select is None else select))
    return {name: value for name, value in values if value is not None or name not in _OPTIONAL}


def paging_headers(page: Page[Any]) -> list[Header]:
    """How many items match as far as is known, and where the next page begins, if there is one."""
    headers = [(b"x-pagination-total", b"%d" % page.total)]
    if page.next is not None:
        headers.append((b"x-pagination-next", b"%d" % page.next))
    return headers
