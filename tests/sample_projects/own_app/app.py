"""A FastAPI application with a lifespan, middleware, a WebSocket, blocking routes, one that fails, and a front end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import resources
from fastapi import FastAPI, Request, WebSocket
from fastapi.staticfiles import StaticFiles
from langgraph_sdk import get_client

HERE = Path(__file__).parent


def note(what: str) -> None:
    if "LIFESPAN_LOG" in os.environ:
        with open(os.environ["LIFESPAN_LOG"], "a") as log:
            log.write(f"{what} {os.getpid()}\n")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    resources.pool = app.state.pool = resources.Pool()
    app.state.assistants = await get_client().assistants.count()
    note("entered")
    yield {"opened": "by the lifespan"}
    app.state.pool.closed = True
    note("left")


app = FastAPI(lifespan=lifespan)
held = threading.Event()


@app.middleware("http")
async def stamp(request: Request, call_next: Any) -> Any:
    answer = await call_next(request)
    answer.headers["x-app"] = "own"
    return answer


@app.get("/hello")
async def hello(request: Request) -> Any:
    return {"opened": request.state.opened, "row": await request.app.state.pool.fetch()}


@app.get("/whoami")
async def whoami(request: Request) -> Any:
    user = request.scope.get("user")
    return {"user": user and user.identity, "assistants": request.app.state.assistants}


@app.get("/broken")
async def broken() -> Any:
    raise ZeroDivisionError("a mistake in the application")


@app.get("/held")
def wait_until_let_go() -> str:
    """Blocks its pool thread until it is let go."""
    held.wait(30)
    return "let go"


@app.post("/let-go")
async def let_go() -> str:
    held.set()
    return "all"


@app.get("/blocking")
async def block_the_loop(seconds: float) -> str:
    time.sleep(seconds)  # noqa: ASYNC251 - as it should not
    return "blocked"


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        if text == "how many assistants?":
            text = str(await get_client().assistants.count())
        await socket.send_text(f"{socket.state.opened}: {text}")


app.mount("/", StaticFiles(directory=HERE / "front_end", html=True))
