"""Applications of a project, served around a fake runtime."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from langgraph_sdk import Auth

from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.config.project import AppSection, AuthSection
from tests.handlers.fakes.runtime import FakeRuntime

ANN = {"authorization": "Bearer token-of-ann"}


class Served:
    """An application, as a runtime has it. It may become another one."""

    def __init__(self, asgi: Any, **state: Any) -> None:
        self.asgi = asgi
        self.place = "langgraph.json: http.app (./app.py:app)"
        self.lifespan = SimpleNamespace(state=state)


def around(app: Any, *, auth_first: bool = False, authenticates: bool | None = None, **options: Any) -> FakeRuntime:
    """A runtime whose project brings the application."""
    section = AppSection(path="./app.py:app", auth_first=auth_first, authenticates=authenticates)
    web_app = app if isinstance(app, Served) else Served(app)
    return FakeRuntime(web_app=web_app, app=section, **options)


def with_auth(app: Any, asked: list[str] | None = None, **options: Any) -> FakeRuntime:
    """The same, where callers have to say who they are; `asked` is given the path of each request that was looked
    at."""
    auth = Auth()

    @auth.authenticate
    async def by_token(authorization: str | None, path: str) -> Any:
        if asked is not None:
            asked.append(path)
        if authorization != ANN["authorization"]:
            raise Auth.exceptions.HTTPException(401, "No such token")
        return {"identity": "ann", "permissions": ["read"]}

    authentication = CustomAuthentication(auth, "auth", timeout=10)
    return around(app, authenticator=authentication, auth=AuthSection(path="./auth.py:auth"), **options)
