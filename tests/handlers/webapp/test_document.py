"""The document that clients get, with the paths of the project's application."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.security import APIKeyHeader
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from starlette.applications import Starlette

from tests.handlers.asgi_client import connected
from tests.handlers.fakes.runtime import FakeRuntime

from .apps import ANN, Served, around, with_auth


class Run(BaseModel):
    """Named as one of ours."""

    distance: float
    legs: list[Run]


def described() -> FastAPI:
    app = FastAPI(title="Theirs", openapi_tags=[{"name": "sport"}], separate_input_output_schemas=False)

    @app.post("/sport/{run}", tags=["sport"])
    async def run(run: str, body: Run) -> Run:
        return body

    @app.get("/info", operation_id="get_info")
    async def info() -> dict[str, Any]:
        return {}

    @app.get("/ok")
    async def ok() -> str:
        return ""

    @app.get("/threads/{id}")
    async def thread(id: str) -> str:
        return id

    @app.get("/locked")
    async def locked(key: str = Depends(APIKeyHeader(name="x-api-key", scheme_name="key"))) -> str:
        return key

    return app


async def document_of(runtime: FakeRuntime, **headers: str) -> dict[str, Any]:
    async with connected(runtime) as client:
        document: dict[str, Any] = (await client.get("/openapi.json", headers=headers)).json()
    return document


async def test_its_paths_stand_beside_ours() -> None:
    ours = await document_of(FakeRuntime())
    document = await document_of(around(described()))
    OpenAPIV31SpecValidator(document).validate()
    assert document["paths"].keys() == {*ours["paths"], "/sport/{run}", "/locked"}
    assert document["info"] == ours["info"]
    assert {"name": "sport"} in document["tags"]
    # What it does not take stays ours, word by word.
    taken = {"/sport/{run}", "/locked", "/info"}
    assert {path: item for path, item in document["paths"].items() if path not in taken} == {
        path: item for path, item in ours["paths"].items() if path not in taken
    }
    assert document["paths"]["/info"]["get"]["summary"] == "Info"


async def test_schemas_of_the_same_name_get_another() -> None:
    ours = await document_of(FakeRuntime())
    document = await document_of(around(described()))
    schemas = document["components"]["schemas"]
    assert schemas["Run"] == ours["components"]["schemas"]["Run"]
    assert schemas["AppRun"]["properties"]["legs"]["items"] == {"$ref": "#/components/schemas/AppRun"}
    body = document["paths"]["/sport/{run}"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/AppRun"}


async def test_it_says_who_is_asked() -> None:
    document = await document_of(with_auth(described(), authenticates=False), **ANN)
    OpenAPIV31SpecValidator(document).validate()
    assert document["security"]
    assert document["paths"]["/sport/{run}"]["post"]["security"] == []
    assert document["paths"]["/locked"]["get"]["security"] == [{"key": []}]
    document = await document_of(with_auth(described(), authenticates=True), **ANN)
    assert "security" not in document["paths"]["/sport/{run}"]["post"]


class Broken(FastAPI):
    def openapi(self) -> dict[str, Any]:
        raise RecursionError("of a schema")


class Older(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return {"openapi": "3.0.2", "paths": {"/older": {}}}


@pytest.mark.parametrize("app", [Starlette(), Broken(), Older()], ids=["none", "broken", "older"])
async def test_what_has_no_usable_document_leaves_ours_as_it_is(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    ours = await document_of(FakeRuntime())
    with caplog.at_level(logging.WARNING):
        assert await document_of(around(app)) == ours
    assert ("is left out" in caplog.text) == isinstance(app, FastAPI)


async def test_routes_of_a_later_application_are_in_it() -> None:
    served = Served(FastAPI())
    async with connected(around(served)) as client:
        assert "/locked" not in (await client.get("/openapi.json")).json()["paths"]
        served.asgi = described()
        assert "/locked" in (await client.get("/openapi.json")).json()["paths"]
