"""Routes that use the server that they are part of."""

from __future__ import annotations

from typing import Any

import httpx
from langgraph_sdk import get_client, get_sync_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

EARLY = get_client()


async def ask(request: Request) -> JSONResponse:
    """As the server, or as whoever made the request."""
    headers = {"authorization": request.headers["authorization"]} if "as" in request.query_params else None
    client = get_client(headers=headers) if headers else EARLY
    thread = await client.threads.create()
    values: Any = await client.runs.wait(thread["thread_id"], "answering", input={})
    return JSONResponse({"metadata": thread["metadata"], "user": values["result"]["user"]})


def ask_sync(request: Request) -> JSONResponse:
    return JSONResponse(get_sync_client().threads.create()["metadata"])


async def block(request: Request) -> JSONResponse:
    try:
        get_sync_client().threads.count()
    except RuntimeError as error:
        return JSONResponse(str(error))
    return JSONResponse(None)


async def told(request: Request) -> JSONResponse:
    """What the server answers when it cannot do what it is asked for."""
    try:
        return JSONResponse(await get_client().threads.count())
    except httpx.HTTPStatusError as error:
        return _refusal(error.response)


def told_sync(request: Request) -> JSONResponse:
    try:
        return JSONResponse(get_sync_client().threads.count())
    except httpx.HTTPStatusError as error:
        return _refusal(error.response)


def _refusal(response: httpx.Response) -> JSONResponse:
    return JSONResponse({"status": response.status_code, "retry_after": response.headers.get("retry-after")})


app = Starlette(
    routes=[
        Route("/ask", ask),
        Route("/ask-sync", ask_sync),
        Route("/block", block),
        Route("/told", told),
        Route("/told-sync", told_sync),
    ],
)
