"""What an authentication handler may give for a user, and what becomes of it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pydantic
import pytest
from langgraph_sdk.auth.types import BaseUser, StudioUser

from runyard.runtime.auth.user import USER_LIMIT, NoUser, User, read_user


@dataclass
class Account:
    identity: str
    team: str


class Claims(pydantic.BaseModel):
    identity: str
    permissions: list[str]
    issued: datetime


class Session:
    def __init__(self) -> None:
        self.email = "ann@example.com"
        self._token = "hidden"

    @property
    def identity(self) -> str:
        return "ann"


PLAIN = {"identity": "ann", "display_name": "ann", "is_authenticated": True, "permissions": []}


@pytest.mark.parametrize(
    ("given", "user"),
    [
        ("ann", PLAIN),
        ({"identity": "ann"}, PLAIN),
        (
            {
                "identity": "ann",
                "display_name": "Ann",
                "permissions": ("read", "write"),
                "org": {"id": 7},
                1: "dropped",
            },
            {**PLAIN, "display_name": "Ann", "permissions": ["read", "write"], "org": {"id": 7}},
        ),
        (Account("ann", "lakes"), {**PLAIN, "team": "lakes"}),
        (
            Claims(identity="ann", permissions=["read"], issued=datetime(2026, 1, 2, tzinfo=UTC)),
            {**PLAIN, "permissions": ["read"], "issued": "2026-01-02T00:00:00Z"},
        ),
        (Session(), {**PLAIN, "email": "ann@example.com"}),
        (StudioUser("ann", is_authenticated=True), {**PLAIN, "permissions": ["authenticated"]}),
    ],
)
def test_texts_mappings_and_objects_are_users(given: Any, user: Mapping[str, Any]) -> None:
    assert read_user(given) == user


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "it is missing"),
        ("", "its identity is empty"),
        ({}, "its identity is missing"),
        ({"identity": 7}, "its identity is of type int"),
        (True, "it is of type bool"),
        ({"identity": "ann", "permissions": "all"}, "its permissions are of type str"),
        ({"identity": "ann", "photo": "x" * USER_LIMIT}, f"at most {USER_LIMIT} are kept"),
        ({"identity": "ann", "odd": "\ud800"}, "it cannot be written as JSON"),
    ],
)
def test_what_has_no_identity_or_is_too_large_is_no_user(given: Any, said: str) -> None:
    with pytest.raises(NoUser, match=said):
        read_user(given)


def test_a_user_is_a_mapping_with_attributes_wherever_it_comes() -> None:
    user = read_user({"identity": "ann", "permissions": ["read"], "team": "lakes"})
    assert isinstance(user, BaseUser)
    for each in (user, copy.deepcopy(user), pickle.loads(pickle.dumps(user)), User(orjson.loads(user.to_json()))):
        assert (each.identity, each["team"], each.team, each.permissions) == ("ann", "lakes", "lakes", ["read"])
        assert each.get("absent") is None
        with pytest.raises(AttributeError, match="the user has no 'absent'"):
            _ = each.absent
