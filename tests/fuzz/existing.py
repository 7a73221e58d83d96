"""What exists on the server that Schemathesis asks, as far as requests and answers tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NAMED_BY_THE_BODY = re.compile(
    r"Version (?P<version>\d+) not found for assistant (?P<assistant>\S+)"
    r"|Checkpoint (?P<checkpoint>.+) not found on thread (?P<thread>\S+)"
    r"|Graph '(?P<graph>.*)' not found\. Expected one of: .*",
    re.DOTALL,
)


class Existing:
    """Learns from each request with its answer."""

    def __init__(self) -> None:
        self.versions: set[tuple[str, int]] = set()
        """Ids of assistants with the versions that answers showed."""
        self.checkpoints: set[tuple[str, str]] = set()
        """Ids of threads with the checkpoints that answers showed."""
        self.brought_back: set[str] = set()
        """Threads that a run created under the id in its path, and that were not deleted since."""

    def learn(self, case: Any, response: Any) -> None:
        if response.status_code >= 300:
            return
        path, body = case.path_parameters or {}, case.body if isinstance(case.body, dict) else {}
        thread_id = path.get("thread_id")
        if "rollback" in (body.get("multitask_strategy"), (case.query or {}).get("action")):
            self._forget_checkpoints([thread_id] if thread_id else None)
        if case.path == "/threads/prune":
            self._forget_checkpoints(body.get("thread_ids", []))
        if case.method.upper() == "DELETE" and case.path == "/threads/{thread_id}":
            self._forget_checkpoints([thread_id])
            self.brought_back.discard(str(thread_id))
        elif thread_id and body.get("if_not_exists") == "create":
            self.brought_back.add(thread_id)
        if case.method.upper() == "DELETE" and case.path == "/assistants/{assistant_id}":
            self.versions = {known for known in self.versions if known[0] != path.get("assistant_id")}
        if response.headers.get("content-type") == ["application/json"]:
            for value in _objects(response.json()):
                self._learn_of(value)

    def _learn_of(self, value: dict[str, Any]) -> None:
        if {"assistant_id", "version"} <= value.keys():
            self.versions.add((value["assistant_id"], value["version"]))
        checkpoint = value.get("checkpoint")
        # The state at a checkpoint that does not exist repeats its id, but says nothing of its creation.
        if isinstance(checkpoint, dict) and (value.get("created_at") or "configurable" in value):
            self.checkpoints.add((checkpoint.get("thread_id", ""), checkpoint.get("checkpoint_id", "")))

    def _forget_checkpoints(self, thread_ids: list[Any] | None) -> None:
        """Of some threads, or of all."""
        self.checkpoints = {
            known for known in self.checkpoints if thread_ids is not None and known[0] not in thread_ids
        }

    def misses_what_was_made_up(self, body: Any, response: Any) -> bool:
        """Whether a 404 is about a graph that the body names, or a checkpoint or a version that no answer showed.

        Schemathesis takes each 404 behind a creation for the loss of what was created, since it looks at the path
        alone. There, the thread or the assistant does exist.
        """
        missing = _NAMED_BY_THE_BODY.fullmatch(response.json().get("detail", ""))
        if missing is None or not isinstance(body, dict):
            return False
        if missing["graph"] is not None:
            return missing["graph"] == body.get("graph_id")
        if missing["version"] is not None:
            version = int(missing["version"])
            return version == body.get("version") and (missing["assistant"], version) not in self.versions
        checkpoint = body.get("checkpoint")
        named = [body.get("checkpoint_id"), checkpoint.get("checkpoint_id") if isinstance(checkpoint, dict) else None]
        return missing["checkpoint"] in named and (missing["thread"], missing["checkpoint"]) not in self.checkpoints


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(each)
