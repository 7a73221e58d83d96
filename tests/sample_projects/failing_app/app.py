"""Its lifespan fails, or is never ready, as FAILS says: in every process, or where nothing is served only."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    fails = os.environ["FAILS"]
    if fails == "at once" or (fails == "in workers" and multiprocessing.parent_process() is not None):
        raise ConnectionError("the database does not answer")
    if "BEGUN" in os.environ:
        Path(os.environ["BEGUN"]).touch()  # noqa: ASYNC240
    if fails == "never ready":
        await asyncio.Event().wait()
    if fails == "blocks at the beginning":
        time.sleep(600)  # noqa: ASYNC251
    yield
    if fails == "at the end":
        raise ConnectionError("the database was gone before")


app = FastAPI(lifespan=lifespan)


def make_app() -> FastAPI:
    return app
