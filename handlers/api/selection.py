"""Objects in part: without what is absent, or with only the fields that a request selects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from runyard.generated.models import Thread
from runyard.handlers.http.scope import Header

if TYPE_CHECKING:
    from runyard.runtime.services.paging import Page

# The interface leaves these out of threads that have none; null is not an object.
_OPTIONAL = frozenset(("interrupts", "ttl", "extracted"))
_EXTRA = "ttl"  # only where it is asked for
_THREAD_FIELDS = tuple(field.name for field in fields(Thread) if field.name != _EXTRA)


def select_fields(items: Iterable[Any], select: Sequence[str] | None) -> list[Any]:
    """The items themselves, or mappings with only the fields named by `select`."""
    if select is None:
        return list(items)
    return [{name: getattr(item, name) for name in select} for item in items]


def omit_field(items: Iterable[Any], name: str) -> list[dict[str, Any]]:
    """The items as mappings that lack the field `name`."""
    return [{field.name: getattr(item, field.name) for field in fields(item) if field.name != name} for item in items]


def select_thread_fields(
    thread: Thread, select: Iterable[str] | None = None, *, include: Iterable[str] = ()
) -> dict[str, Any]:
    """A thread as a mapping, without what it does not have, with only the fields named by `select` and with the
    further ones among `include`."""
    names = [*(_THREAD_FIELDS if select is None else select), *({_EXTRA} & {*include})]
    values = ((name, getattr(thread, name)) for name in names)
    return {name: value for name, value in values if value is not None or name not in _OPTIONAL}


def paging_headers(page: Page[Any]) -> list[Header]:
    """How many items match as far as is known, and where the next page begins, if there is one."""
    headers = [(b"x-pagination-total", b"%d" % page.total)]
    if page.next is not None:
        headers.append((b"x-pagination-next", b"%d" % page.next))
    return headers


def next_page_link(page: Page[Any], path: str, query: Mapping[str, Any]) -> list[Header]:
    """The next page as a link, if there is one: the same query from where it begins. What is None is left out, an
    object written as JSON."""
    if page.next is None:
        return []
    given = {
        name: orjson.dumps(value).decode() if isinstance(value, dict) else value
        for name, value in query.items()
        if value is not None
    }
    target = f"{path}?{urlencode({**given, 'offset': page.next}, doseq=True)}"
    return [(b"link", f'<{target}>; rel="next"'.encode("ascii"))]
