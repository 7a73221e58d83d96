"""Two users with clients that know nothing of each other: JavaScript's, and LangGraph's own RemoteGraph."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path

import httpx
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.pregel.remote import RemoteGraph

from tests.programs import require_npm_packages, require_program

from .users import User

JAVASCRIPT = Path(__file__).parents[1] / "js"


async def test_two_users_of_the_javascript_client(ann: User) -> None:
    node = require_program("node", why="the JavaScript client")
    require_npm_packages(JAVASCRIPT, why="the JavaScript client")
    process = await asyncio.create_subprocess_exec(
        node,
        JAVASCRIPT / "two_users.mjs",
        env={"PATH": os.environ["PATH"], "RUNYARD_URL": ann.server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()


def test_two_users_of_a_remote_graph(ann: User, bob: User) -> None:
    mine, theirs = (
        RemoteGraph("chain", url=user.server.url, api_key=None, headers=dict(user.headers)) for user in (ann, bob)
    )
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4())}}
    assert mine.invoke({"n": 1}, config)["n"] == 112
    assert mine.get_state(config).values["n"] == 112
    for attempt in (
        lambda: theirs.invoke({"n": 1}, config),
        lambda: theirs.get_state(config),
        lambda: list(theirs.get_state_history(config)),
        lambda: theirs.update_state(config, {"n": 1}),
    ):
        with pytest.raises(httpx.HTTPStatusError) as error:
            attempt()
        assert error.value.response.status_code == 404
    assert mine.get_state(config).values["n"] == 112
    assert theirs.invoke({"n": 1})["n"] == 112
