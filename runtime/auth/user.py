"""Who makes a request, as handlers, graphs and stored runs know them: a mapping with a few attributes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

USER_LIMIT: Final = 16_384
"""Bytes of a user as JSON: it is kept with each run that the user makes, until the run has ended."""

_ATTRIBUTES: Final = ("identity", "display_name", "is_authenticated", "permissions")


class User(dict[str, Any]):
    """A user: `user["identity"]`, and as an attribute `user.identity`; so for each key.

    It is what langgraph_sdk calls a BaseUser, and JSON throughout. Always there: `identity`, `display_name`,
    `is_authenticated` and `permissions`.
    """

    __slots__ = ()

    @property
    def identity(self) -> str:
        """By which the user is told from others."""
        identity: str = self["identity"]
        return identity

    @property
    def display_name(self) -> str:
        """For people; the identity where nothing else is known."""
        name: str = self["display_name"]
        return name

    @property
    def is_authenticated(self) -> bool:
        """Always true: others get no further."""
        return bool(self["is_authenticated"])

    @property
    def permissions(self) -> list[str]:
        """What authorisation may go by; the server itself gives them no meaning."""
        permissions: list[str] = self["permissions"]
        return permissions

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the user has no {name!r}") from None

    def __reduce__(self) -> tuple[type[User], tuple[dict[str, Any]]]:
        return User, (dict(self),)

    def to_json(self) -> str:
        """For storage, and for other processes; `stored_user` gives the user again."""
        return orjson.dumps(self).decode()


def stored_user(encoded: str | None) -> User | None:
    """The user that `User.to_json` has encoded; None where there is none."""
    return None if encoded is None else User(orjson.loads(encoded))


class NoUser(ValueError):
    """What was given is no user; the text says why, without the values that it has."""


def read_user(given: Any) -> User:
    """The user that an authentication handler gave: a text (the identity), a mapping with `identity`, or an object that
    has it as an attribute.

    All that a mapping or an object holds is kept, as JSON; what JSON does not know becomes text. Raises `NoUser`.
    """
    fields = {key: value for key, value in _fields_of(given).items() if isinstance(key, str)}
    identity = fields.get("identity")
    if not isinstance(identity, str) or not identity:
        raise NoUser(f"its identity is {_kind(identity)}; it must be a text that is not empty")
    permissions = fields.get("permissions")
    if isinstance(permissions, str) or not isinstance(permissions, Iterable | None):
        raise NoUser(f"its permissions are {_kind(permissions)}; they must be a list of texts")
    display_name = fields.get("display_name")
    user = {
        **fields,
        "display_name": display_name if isinstance(display_name, str) else identity,
        "is_authenticated": fields.get("is_authenticated") is not False,
        "permissions": [str(each) for each in permissions or ()],
    }
    try:
        encoded = orjson.dumps(user, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        raise NoUser("it cannot be written as JSON") from None
    if len(encoded) > USER_LIMIT:
        raise NoUser(f"it has {len(encoded)} bytes as JSON; at most {USER_LIMIT} are kept")
    return User(orjson.loads(encoded))


def _fields_of(given: Any) -> Mapping[Any, Any]:
    if isinstance(given, str):
        return {"identity": given}
    if isinstance(given, Mapping):
        return given
    if given is None or not hasattr(given, "identity"):
        raise NoUser(f"it is {_kind(given)}; it must be a text, or have an identity")
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        held = {item.name: getattr(given, item.name) for item in dataclasses.fields(given)}
    elif callable(getattr(given, "model_dump", None)):  # pydantic
        held = given.model_dump(mode="json")
    else:
        held = {key: value for key, value in getattr(given, "__dict__", {}).items() if not key.startswith("_")}
    # Attributes may be properties, which no instance holds.
    return {**held, **{name: getattr(given, name) for name in _ATTRIBUTES if hasattr(given, name)}}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return [*value] if isinstance(value, set | frozenset) else str(value)


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}" if value != "" else "empty"
