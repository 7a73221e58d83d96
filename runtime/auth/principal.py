"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runyard.runtime.auth.user import User
from runyard.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and how far it reaches.

    identity: None: nobody in particular; nobody has to say who they are.
    permissions: those that authentication gave; authorisation handlers go by them.
    user: all that authentication said of them; None as for `identity`.
    """

    identity: str | None
    scope: Scope
    permissions: tuple[str, ...] = ()
    user: User | None = None


ANONYMOUS: Final = Principal(None, Scope.everything())
"""Everybody, as long as nobody has to say who they are."""


def principal_of(user: User) -> Principal:
    """Somebody who was authenticated, and reaches everything until authorisation says less."""
    scope = Scope(identity=user.identity, user=user.to_json())
    return Principal(user.identity, scope, tuple(user.permissions), user)
