"""Assistants with any id that is asked for, but for the uuid 0."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from runyard.generated import models
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.paging import Page

from .times import NOW

SCHEMAS: dict[str, Any] = {
    f"{kind}_schema": {"type": "object"} for kind in ("input", "output", "state", "config", "context")
}


def make_assistant(assistant_id: str) -> models.Assistant:
    return models.Assistant(
        assistant_id=assistant_id,
        graph_id="chain",
        config={},
        context={},
        created_at=NOW,
        updated_at=NOW,
        metadata={"created_by": "system"},
        version=1,
        name="chain",
        description=None,
    )


class FakeAssistants:
    """`calls` has the calls that change something or have parameters of their own."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def get(self, scope: Scope, assistant_id: str) -> models.Assistant:
        if assistant_id == str(uuid.UUID(int=0)):
            raise NotFound("Not Found")
        return make_assistant(assistant_id)

    async def search(self, scope: Scope, request: models.AssistantSearchRequest) -> Page[models.Assistant]:
        return Page([make_assistant(str(uuid.uuid4()))], 1, None)

    async def create(self, scope: Scope, request: models.AssistantCreate) -> models.Assistant:
        self.calls.append(("create", request))
        return make_assistant(request.assistant_id or str(uuid.uuid4()))

    async def patch(self, scope: Scope, assistant_id: str, given: Mapping[str, Any]) -> models.Assistant:
        self.calls.append(("patch", given))
        return make_assistant(assistant_id)

    async def delete(self, scope: Scope, assistant_id: str, delete_threads: bool) -> None:
        self.calls.append(("delete", delete_threads))

    async def count(self, scope: Scope, request: models.AssistantCountRequest) -> int:
        return 3

    async def versions(
        self, scope: Scope, assistant_id: str, request: models.AssistantVersionsSearchRequest
    ) -> list[models.Assistant]:
        return [make_assistant(assistant_id)]

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> models.Assistant:
        self.calls.append(("set_latest", version))
        return make_assistant(assistant_id)

    async def graph(self, scope: Scope, assistant_id: str, xray: bool | int) -> bytes:
        self.calls.append(("graph", assistant_id, xray))
        return orjson.dumps({"nodes": [{"id": "__start__"}], "edges": [{"source": "__start__", "target": "__end__"}]})

    async def subgraphs(self, scope: Scope, assistant_id: str, namespace: str | None, recurse: bool) -> bytes:
        self.calls.append(("subgraphs", namespace, recurse))
        return orjson.dumps({"child": {**SCHEMAS, "state_schema": None}})

    async def ready_to_look(self) -> None:
        self.calls.append(("ready_to_look",))

    async def schemas(self, scope: Scope, assistant_id: str) -> bytes:
        return orjson.dumps({"graph_id": "chain", **SCHEMAS})
