"""Who makes a request."""

from dataclasses import dataclass
from typing import Final

from runyard.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and how far it reaches. `identity` None: nobody in particular."""

    identity: str | None
    scope: Scope


ANONYMOUS: Final = Principal(None, Scope.everything())
"""Everybody, as long as nobody has to say who they are."""
