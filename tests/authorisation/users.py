"""Users of a server with authentication: plain HTTP and stock clients as one of them."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

PROJECTS = Path(__file__).parents[1] / "sample_projects"


def bearer(token: str) -> dict[str, str]:
    """What a client sends that has a token."""
    return {"authorization": f"Bearer {token}"}


def claims(sub: str, **others: Any) -> dict[str, str]:
    """What a client of the project `tenants` sends."""
    return bearer(b64encode(json.dumps({"sub": sub, **others}).encode()).decode())


@dataclass
class User:
    """Somebody who uses a server."""

    server: LiveServer
    headers: Mapping[str, str]
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.server.url, headers=dict(self.headers), verify=False, timeout=30)

    @property
    def client(self) -> LangGraphClient:
        """The stock client."""
        return get_client(url=self.server.url, headers=self.headers, api_key=None)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """One request; of an answer that does not end, its beginning."""
        with self.http.stream(method, path, json=body, **more) as response:
            if (
                response.status_code != 200
                or not path.split("?")[0].endswith(("/stream", "/stream/events"))
                or "/runs" in path
            ):
                response.read()
            return response

    def get(self, path: str) -> Any:
        """The JSON that a GET answers."""
        return self._json(self.http.get(path))

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON that a POST answers."""
        return self._json(self.http.post(path, json={} if body is None else body))

    def _json(self, response: httpx.Response) -> Any:
        assert response.is_success, response.text
        return response.json()

    # Something to have

    def new_thread(self, **fields: Any) -> str:
        thread_id: str = self.post("/threads", fields)["thread_id"]
        return thread_id

    def new_assistant(self, **fields: Any) -> str:
        assistant_id: str = self.post("/assistants", {"graph_id": "chain", **fields})["assistant_id"]
        return assistant_id

    def new_run(self, thread_id: str, **fields: Any) -> str:
        """A run on a thread, that has ended."""
        run = self.post(f"/threads/{thread_id}/runs", {"assistant_id": "chain", "input": {"n": 1}, **fields})
        self.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")
        run_id: str = run["run_id"]
        return run_id

    def delayed_run(self, thread_id: str) -> str:
        """A run on a thread that does not begin."""
        run = self.post(f"/threads/{thread_id}/runs", {"assistant_id": "chain", "after_seconds": 3600})
        run_id: str = run["run_id"]
        return run_id

    def new_cron(self, thread_id: str, **fields: Any) -> str:
        """A cron on a thread, that is not due in the time of a test."""
        asked = {"assistant_id": "chain", "schedule": "0 0 1 1 *", "input": {"n": 1}, **fields}
        cron_id: str = self.post(f"/threads/{thread_id}/runs/crons", asked)["cron_id"]
        return cron_id

    def ended_batch(self) -> str:
        """A batch of one run, that was cancelled."""
        (run,) = self.post("/runs/batch", [{"assistant_id": "chain", "after_seconds": 3600}])
        batch_id: str = run["batch_id"]
        self.post(f"/batches/{batch_id}/cancel")
        return batch_id


@dataclass(frozen=True)
class Owned:
    """What somebody has: ids by the name that paths have for them. `pending`: a run on a thread of its own."""

    thread_id: str
    run_id: str
    assistant_id: str
    checkpoint_id: str
    pending_thread_id: str
    pending_run_id: str
    cron_id: str
    batch_id: str

    @property
    def ids(self) -> tuple[str, ...]:
        return (
            self.thread_id,
            self.run_id,
            self.assistant_id,
            self.checkpoint_id,
            self.pending_thread_id,
            self.pending_run_id,
            self.cron_id,
            self.batch_id,
        )


def make(user: User) -> Owned:
    """One of everything."""
    thread_id, pending_thread_id = user.new_thread(), user.new_thread()
    run_id = user.new_run(thread_id, stream_resumable=True)
    return Owned(
        thread_id=thread_id,
        run_id=run_id,
        assistant_id=user.new_assistant(),
        checkpoint_id=user.get(f"/threads/{thread_id}/state")["checkpoint"]["checkpoint_id"],
        pending_thread_id=pending_thread_id,
        pending_run_id=user.delayed_run(pending_thread_id),
        cron_id=user.new_cron(thread_id),
        batch_id=user.ended_batch(),
    )


def absent() -> Owned:
    """One of nothing."""
    return Owned(*(str(uuid.uuid4()) for _ in range(8)))


def refused(response: httpx.Response, status: int = 404) -> str:
    """The detail of an answer that lets nobody in."""
    assert response.status_code == status, response.text
    detail: str = response.json()["detail"]
    return detail
