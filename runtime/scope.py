"""How far a request reaches: who asks, and which of everything is there for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MetadataFilter = Mapping[str, Any]
"""By key of the metadata what it must hold: a value, as `{"$eq": value}` too, or `{"$contains": value}`: a list that
has that value, or all of a list of values."""

Beside = Mapping[tuple[str, str | None], "Scope"]
"""By resource and name, as the request has it, how far a call reaches in what it touches beside what it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a call of storage may see and change. Everything outside is as if it were not there.

    identity: who asks; what is made in the scope has them as its creator. None: nobody in particular.
    user: all that is known of who asks, as JSON, for the code of graphs that works for them. None as for `identity`.
    filter: what the metadata must hold of a thread (for a run, that of its thread), an assistant or a cron; None:
    anything.
    beside: see `of`. None: a call reaches as far in everything that it touches.
    encryption: the context in which what the call writes is encrypted; None: an empty one. It is not secret.
    """

    identity: str | None = None
    user: str | None = field(default=None, repr=False)
    filter: MetadataFilter | None = None
    beside: Beside | None = None
    encryption: Mapping[str, Any] | None = field(default=None, repr=False)

    @staticmethod
    def everything() -> "Scope":
        """Nothing is left out: what the server itself asks, and what anybody may who need not say who they are."""
        return _EVERYTHING

    @staticmethod
    def undecided(identity: str, user: str) -> "Scope":
        """Somebody's, as long as nobody was asked how far they reach: to look for anything in it is a mistake, and
        raises ValueError."""
        return Scope(identity=identity, user=user, filter=_UNDECIDED, beside={})

    @property
    def decided(self) -> bool:
        """Whether rules of the project have decided how far it reaches: what is the server's own is changed by nobody
        then."""
        return self.beside is not None

    def of(self, resource: str, name: str | None = None) -> "Scope":
        """How far the call reaches in something else than it is about, such as the assistant of a run. Raises KeyError
        for what nobody was asked about."""
        return self if self.beside is None else self.beside[resource, name]


_EVERYTHING = Scope()
_UNDECIDED: MetadataFilter = {"scope": {"$undecided": True}}


def terms(wanted: MetadataFilter | None) -> Iterator[tuple[str, str, Any]]:
    """What a filter asks for, as (key of the metadata, operator, value)."""
    for key, test in (wanted or {}).items():
        if isinstance(test, dict) and any(name.startswith("$") for name in test):
            for operator, value in test.items():
                yield key, operator, value
        else:
            yield key, "$eq", test


def holds(found: Any, wanted: Any) -> bool:
    """Whether JSON holds other JSON: an object must be contained, key by key; everything else must be equal."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(found[key], wanted[key]) for key in wanted)
    return _same(found, wanted)


def has_all(found: Any, wanted: Any) -> bool:
    """Whether JSON is a list with the wanted item, or with all of a list of them."""
    items = wanted if isinstance(wanted, list) else [wanted]
    return isinstance(found, list) and all(any(_same(other, item) for other in found) for item in items)


def _same(found: Any, wanted: Any) -> bool:
    """JSON tells true from 1, Python does not."""
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)
