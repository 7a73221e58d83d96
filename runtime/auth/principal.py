"""Who makes a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from runyard.runtime.auth.rules import Rules
from runyard.runtime.auth.user import User
from runyard.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and how far it reaches.

    identity: None: nobody in particular; nobody has to say who they are.
    permissions: those that authentication gave; authorisation handlers go by them.
    user: all that authentication said of them; None as for `identity`.
    rules: what decides how far they reach in what they do, see `authorize`; None: `scope` is all there is to it.
    """

    identity: str | None
    scope: Scope
    permissions: tuple[str, ...] = ()
    user: User | None = field(default=None, repr=False)
    rules: Rules | None = None


ANONYMOUS: Final = Principal(None, Scope.everything())
"""Everybody, as long as nobody has to say who they are."""


def principal_of(user: User, rules: Rules | None = None) -> Principal:
    """Somebody who was authenticated, and reaches everything where no rules say less."""
    if rules is None:
        scope = Scope(identity=user.identity, user=user.to_json())
    else:
        scope = Scope.undecided(user.identity, user.to_json())
    return Principal(user.identity, scope, tuple(user.permissions), user, rules)
