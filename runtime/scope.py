"""How far a request reaches: who asks, and which of everything is there for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MetadataFilter = Mapping[str, Any]
"""By key of the metadata what it must hold: a value, as `{"$eq": value}` too, or `{"$contains": value}`: a list that
has that value, or all of a list of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a call of storage may see and change. Everything outside is as if it were not there.

    identity: who asks; what is made in the scope has them as its creator. None: nobody in particular.
    user: all that is known of who asks, as JSON, for the code of graphs that works for them. None as for `identity`.
    filter: what the metadata must hold of a thread (for a run, that of its thread) or an assistant; None: anything.
    """

    identity: str | None = None
    user: str | None = field(default=None, repr=False)
    filter: MetadataFilter | None = None

    @staticmethod
    def everything() -> "Scope":
        """Nothing is left out: what the server itself asks, and what anybody may who need not say who they are."""
        return _EVERYTHING


_EVERYTHING = Scope()
