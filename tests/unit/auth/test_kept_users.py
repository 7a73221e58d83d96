"""`auth.cache`: the handler is not asked again about who has been authenticated lately."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from langgraph_sdk import Auth
from starlette.requests import Request

from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.auth.kept_users import KeptUsers
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import IncomingRequest

Header = tuple[bytes, bytes]
CREDENTIALS = (b"authorization", b"cookie", b"proxy-authorization", b"x-api-key")
ANN = (b"authorization", b"ann")
LAKES, HILLS = (b"x-team", b"lakes"), (b"x-team", b"hills")


class Project:
    """Whose handler counts its calls, and refuses who is called nobody."""

    def __init__(self, *headers: str, seconds: float = 60, most: int = 1000) -> None:
        self.calls = 0
        auth = Auth()
        auth.authenticate(self._handler)
        kept = KeptUsers(headers, seconds=seconds, most=most)
        self._authentication = CustomAuthentication(auth, "auth", timeout=10, kept=kept)

    async def _handler(self, headers: dict[bytes, bytes]) -> dict[str, Any]:
        self.calls += 1
        name = next(headers[each].decode() for each in CREDENTIALS if each in headers)
        if name == "nobody":
            raise Auth.exceptions.HTTPException(status_code=401)
        return {"identity": name, "seen": [self.calls]}

    async def asked(self, *headers: Header) -> Principal:
        async def read_json() -> Any:
            return None

        scope = {"type": "http", "method": "GET", "path": "/ok", "query_string": b"", "headers": [*headers]}
        return await self._authentication.authenticate(IncomingRequest(scope, read_json, lambda: Request(scope)))


async def test_who_was_authenticated_lately_is_known() -> None:
    project = Project("authorization", "x-team")
    first = await project.asked(ANN, LAKES)
    again = await project.asked(LAKES, (b"accept", b"text/html"), ANN)
    assert (project.calls, again.identity, again.user) == (1, "ann", first.user)
    await project.asked(ANN, HILLS)
    assert project.calls == 2


async def test_who_lacks_a_header_that_would_tell_them_is_asked_each_time() -> None:
    project = Project("authorization", "x-team")
    for _ in range(2):
        await project.asked(ANN)
    assert project.calls == 2


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_credentials_count_though_they_are_not_named(name: bytes) -> None:
    project = Project("x-team")
    await project.asked((name, b"ann"), LAKES)
    with pytest.raises(Refusal):
        await project.asked((name, b"nobody"), LAKES)


async def test_a_refusal_is_not_kept() -> None:
    project = Project("authorization")
    for _ in range(2):
        with pytest.raises(Refusal):
            await project.asked((b"authorization", b"nobody"))
    assert project.calls == 2


async def test_the_handler_is_asked_again_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    project = Project("authorization", seconds=60)
    for later, calls in ((0, 1), (59, 1), (61, 2), (120, 2), (122, 3)):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        await project.asked(ANN)
        assert project.calls == calls


async def test_so_many_are_kept_and_the_oldest_make_room() -> None:
    project = Project("authorization", most=2)
    for calls, name in zip(itertools.count(1), (b"a", b"b", b"c"), strict=False):
        await project.asked((b"authorization", name))
        assert project.calls == calls
    await project.asked((b"authorization", b"b"))
    assert project.calls == 3
    await project.asked((b"authorization", b"a"))
    assert project.calls == 4


async def test_what_a_handler_does_to_a_user_is_not_kept() -> None:
    project = Project("authorization")
    await project.asked(ANN)
    known = await project.asked(ANN)
    assert known.user is not None
    known.user["seen"].append("changed")
    assert (await project.asked(ANN)).user == {**known.user, "seen": [1]}
