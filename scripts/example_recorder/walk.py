"""The requests whose answers become examples: a little of everything, on the graphs of tests/sample_graphs."""

from typing import Any

import httpx

from scripts.example_recorder.plain import Plain

Examples = dict[str, dict[str, Any]]
"""By the name of their file without its ending, such as `threads/create`: examples as OpenAPI has them."""

_STEPS = {"assistant_id": "chain", "input": {"n": 1}}
_CHAT = {"assistant_id": "echo", "input": {"messages": [{"role": "user", "content": "hello there", "id": "m1"}]}}


class Walk:
    """One walk through all operations of a fresh server. The requests come one after the other, so that ids do.

    http: a client whose base is the server.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.examples: Examples = {}
        system = self._ask("POST", "/assistants/search", {"metadata": {"created_by": "system"}, "limit": 1000})
        self._own = {assistant["graph_id"]: assistant["assistant_id"] for assistant in system}
        self._plain = Plain(self._own.values())

    def record(self) -> Examples:
        """All examples."""
        self._system()
        self._assistants()
        thread = self._threads()
        self._states(thread)
        self._thread_runs()
        self._thread_stream()
        self._stateless_runs()
        self._store()
        self._crons()
        self._batches()
        self._protocols()
        self._thread_events()
        self._keep("system/metrics", "After a few runs", self._ask("GET", "/metrics?format=json"))
        return self.examples

    def _ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self._http.request(method, path, json=body, headers=headers)
        answer.raise_for_status()
        if answer.headers.get("content-type", "").startswith(("text/event-stream", "application/jsonl")):
            return answer.text
        return answer.json() if answer.content else None

    def _keep(self, name: str, summary: str, value: Any) -> Any:
        if isinstance(value, str):
            plain: Any = self._plain.lines(value) if value.startswith("{") else self._plain.stream(value)
        else:
            plain = self._plain.value(value)
        self.examples[name] = {"summary": summary, "value": plain}
        return value

    def _system(self) -> None:
        self._keep("system/root", "The server answers", self._ask("GET", "/"))
        self._keep("system/health", "All is well", self._ask("GET", "/ok"))
        self._keep("system/info", "Versions", self._ask("GET", "/info"))
        document = self._ask("GET", "/openapi.json")
        info = {key: document["info"][key] for key in ("title", "version")}
        self._keep("system/openapi", "Its beginning", {"openapi": document["openapi"], "info": info, "paths": {}})

    def _assistants(self) -> None:
        new = {"graph_id": "chain", "name": "Patient", "config": {"recursion_limit": 100}, "metadata": {"team": "blue"}}
        created = self._keep("assistants/create", "A new assistant", self._ask("POST", "/assistants", new))
        path = f"/assistants/{created['assistant_id']}"
        changed = self._ask("PATCH", path, {"context": {"model": "small"}})
        self._keep("assistants/patch", "Its next version", changed)
        self._keep("assistants/get", "An assistant", self._ask("GET", path))
        found = self._ask("POST", "/assistants/search", {"metadata": {"team": "blue"}})
        self._keep("assistants/search", "The one that matches", found)
        self._keep("assistants/count", "One", self._ask("POST", "/assistants/count", {"metadata": {"team": "blue"}}))
        self._keep("assistants/versions", "Two versions", self._ask("POST", f"{path}/versions", {}))
        self._keep("assistants/set_latest", "Back at the first", self._ask("POST", f"{path}/latest", {"version": 1}))
        self._keep("assistants/graph", "A graph of three steps", self._ask("GET", "/assistants/chain/graph"))
        schemas = self._ask("GET", f"{path}/schemas")
        self._keep("assistants/schemas", "A graph of three steps; its schemas are shortened", _shortened(schemas))
        subgraphs = self._ask("GET", f"/assistants/{self._own['subgraphed']}/subgraphs")
        short = {name: _shortened(schemas) for name, schemas in subgraphs.items()}
        self._keep("assistants/subgraphs", "A graph with one subgraph; its schemas are shortened", short)

    def _threads(self) -> str:
        """Returns a thread that has had a run."""
        new = {"metadata": {"user": "17"}}
        created = self._keep("threads/create", "An empty thread", self._ask("POST", "/threads", new))
        path = f"/threads/{created['thread_id']}"
        self._keep("thread_runs/wait", "The final values", self._ask("POST", f"{path}/runs/wait", _STEPS))
        self._keep("threads/get", "After a run", self._ask("GET", path))
        changed = self._ask("PATCH", path, {"metadata": {"rated": "good"}})
        self._keep("threads/patch", "One more entry", changed)
        self._keep("threads/search", "The one that matches", self._ask("POST", "/threads/search", new))
        self._keep("threads/count", "One", self._ask("POST", "/threads/count", new))
        self._keep("threads/storage", "After a run", self._ask("GET", f"{path}/storage"))
        copy = self._keep("threads/copy", "The copy", self._ask("POST", f"{path}/copy"))
        pruned = self._ask("POST", "/threads/prune", {"thread_ids": [copy["thread_id"]]})
        self._keep("threads/prune", "It was one", pruned)
        return path

    def _states(self, thread: str) -> None:
        asking = f"/threads/{self._ask('POST', '/threads', {})['thread_id']}"
        self._ask("POST", f"{asking}/runs/wait", {"assistant_id": "interrupting", "input": {"text": "Go?"}})
        self._keep("threads/state", "A thread that waits for an answer", self._ask("GET", f"{asking}/state"))
        edit = {"values": {"n": 7}, "as_node": "a"}
        self._keep("threads/update_state", "The new checkpoint", self._ask("POST", f"{thread}/state", edit))
        history = self._ask("POST", f"{thread}/history", {"limit": 2})
        self._keep("threads/history", "The latest two states", history)

    def _thread_runs(self) -> None:
        thread = f"/threads/{self._ask('POST', '/threads', {})['thread_id']}"
        run = self._keep("thread_runs/create", "A new run", self._ask("POST", f"{thread}/runs", _STEPS))
        path = f"{thread}/runs/{run['run_id']}"
        self._keep("thread_runs/join", "The final values", self._ask("GET", f"{path}/join"))
        self._keep("thread_runs/get", "A run that has ended", self._ask("GET", path))
        self._keep("thread_runs/list", "One run", self._ask("GET", f"{thread}/runs"))
        watched = {**_STEPS, "stream_mode": ["updates", "values"], "stream_resumable": True}
        self._keep("thread_runs/stream", "Updates and values", self._ask("POST", f"{thread}/runs/stream", watched))
        last = self._ask("GET", f"{thread}/runs?limit=1")[0]["run_id"]
        replayed = self._ask("GET", f"{thread}/runs/{last}/stream", **{"last-event-id": "-1"})
        self._keep("thread_runs/follow", "All events of a run that has ended", replayed)
        later = self._ask("POST", f"{thread}/runs", {**_STEPS, "after_seconds": 3600})
        cancelled = self._ask("POST", f"{thread}/runs/{later['run_id']}/cancel?wait=true")
        self._keep("thread_runs/cancel", "It has ended", cancelled)

    def _thread_stream(self) -> None:
        thread = f"/threads/{self._ask('POST', '/threads', {})['thread_id']}"
        with self._http.stream("GET", f"{thread}/stream", params={"stream_modes": ["lifecycle", "state_update"]}) as it:
            self._ask("POST", f"{thread}/runs/wait", _STEPS)
            said = ""
            for part in it.iter_text():
                said += part
                if "state_update" in said and said.endswith("\n\n"):
                    break
        self._keep("threads/stream", "A run, from its beginning to its end", said)

    def _thread_events(self) -> None:
        thread = f"/threads/{self._ask('POST', '/threads', {})['thread_id']}"
        command = {"id": 1, "method": "run.start", "params": _STEPS}
        started = self._ask("POST", f"{thread}/commands", command)
        self._keep("thread_events/command", "A new run", started)
        wanted = {"channels": ["values", "lifecycle"]}
        with self._http.stream("POST", f"{thread}/stream/events", json=wanted) as it:
            said = ""
            for part in it.iter_text():
                said += part
                if '"event":"completed"' in said and said.endswith("\n\n"):
                    break
        self._keep("thread_events/stream", "A run, from its beginning to its end", said)

    def _stateless_runs(self) -> None:
        kept = {**_STEPS, "on_completion": "keep"}
        run = self._keep("stateless_runs/create", "A new run", self._ask("POST", "/runs", kept))
        self._ask("GET", f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")
        self._keep("stateless_runs/find", "A run that has ended", self._ask("GET", f"/runs/{run['run_id']}"))
        batch = self._ask("POST", "/runs/batch", [kept, {**kept, "metadata": {"line": 2}}])
        self._keep("stateless_runs/batch", "Two new runs", batch)
        for run in batch:
            self._ask("GET", f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")
        self._keep("stateless_runs/wait", "The final values", self._ask("POST", "/runs/wait", _STEPS))
        chat = {**_CHAT, "stream_mode": "messages-tuple", "on_completion": "keep", "stream_resumable": True}
        said = self._keep("stateless_runs/stream", "The pieces of a message", self._ask("POST", "/runs/stream", chat))
        name = said.partition('"run_id":"')[2].partition('"')[0]
        replayed = self._ask("GET", f"/runs/{name}/stream", **{"last-event-id": "-1"})
        self._keep("stateless_runs/follow", "All events of a run that has ended", replayed)

    def _store(self) -> None:
        place = {"namespace": ["users", "17"], "key": "food"}
        self._ask("PUT", "/store/items", {**place, "value": {"text": "Likes dumplings", "stars": 4}})
        self._keep("store/get", "An item", self._ask("GET", "/store/items?namespace=users.17&key=food"))
        found = self._ask("POST", "/store/items/search", {"namespace_prefix": ["users"], "filter": {"stars": 4}})
        self._keep("store/search", "The one that matches", found)
        self._keep("store/namespaces", "All users", self._ask("POST", "/store/namespaces", {"max_depth": 2}))

    def _crons(self) -> None:
        new = {**_STEPS, "schedule": "0 8 * * MON-FRI", "timezone": "Europe/Vienna", "metadata": {"report": "daily"}}
        cron = self._keep("crons/create", "A new cron", self._ask("POST", "/runs/crons", new))
        path = f"/runs/crons/{cron['cron_id']}"
        thread = f"/threads/{self._ask('POST', '/threads', {})['thread_id']}"
        hourly = {**_STEPS, "schedule": "@hourly", "multitask_strategy": "reject"}
        on_thread = self._ask("POST", f"{thread}/runs/crons", hourly)
        self._keep("crons/create_on_thread", "A new cron on a thread", on_thread)
        changed = self._ask("PATCH", path, {"enabled": False})
        self._keep("crons/patch", "No runs for now", changed)
        self._keep("crons/get", "A cron that is switched off", self._ask("GET", path))
        tagged = {"metadata": {"report": "daily"}}
        self._keep("crons/search", "The one that matches", self._ask("POST", "/runs/crons/search", tagged))
        self._keep("crons/count", "One", self._ask("POST", "/runs/crons/count", tagged))
        for each in (cron, on_thread):
            self._ask("DELETE", f"/runs/crons/{each['cron_id']}")

    def _batches(self) -> None:
        kept = {**_STEPS, "on_completion": "keep"}
        named = {"X-Batch-Name": "nightly", "X-Batch-Metadata": '{"customer":"acme"}', "X-Batch-Max-Concurrency": "4"}
        runs = self._ask("POST", "/runs/batch", [kept, kept], **named)
        path = f"/batches/{runs[0]['batch_id']}"
        for run in runs:
            self._ask("GET", f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")
        self._keep("batches/get", "A batch that has ended", self._ask("GET", path))
        failing = {"assistant_id": "failing", "input": {}, "metadata": {"custom_id": "line 2"}}
        mixed = f"/batches/{self._ask('POST', '/runs/batch', [kept, failing])[0]['batch_id']}"
        self._ask("GET", f"{mixed}/stream")
        results = self._ask("GET", f"{mixed}/results")
        self._keep("batches/results", "A success and a failure", results)
        self._keep("batches/list_runs", "Its second run", self._ask("GET", f"{path}/runs?offset=1"))
        found = self._ask("GET", "/batches?status=completed&name=night")
        self._keep("batches/search", "The one that matches", found)
        later = {**_STEPS, "after_seconds": 3600}
        runs = self._ask("POST", "/runs/batch", [later, later])
        path = f"/batches/{runs[0]['batch_id']}"
        self._keep("batches/stream", "Two runs, cancelled one after the other", self._watched(path, runs[0]))
        self._keep("batches/cancel", "All of it has ended", self._ask("POST", f"{path}/cancel"))
        retried = self._ask("POST", f"{mixed}/retry")
        self._keep("batches/retry", "Its second item is tried anew", retried)

    def _watched(self, batch: str, run: dict[str, Any]) -> str:
        """The stream of a batch of which that run is cancelled first, and then the rest."""
        steps = [f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel?wait=true", f"{batch}/cancel"]
        with self._http.stream("GET", f"{batch}/stream") as it:
            said = ""
            for part in it.iter_text():
                said += part
                if said.endswith("\n\n") and steps:
                    self._ask("POST", steps.pop(0))
        return said

    def _protocols(self) -> None:
        call = {"name": "chain", "arguments": {"n": 1}}
        self._keep("mcp/call", "The final values", self._ask("POST", "/mcp/", _rpc("tools/call", call)))
        listed = self._ask("POST", "/mcp/", _rpc("tools/list", {}))
        tools = [{**each, "inputSchema": {"type": "object"}} for each in listed["result"]["tools"][:1]]
        self._keep("mcp/list", "The first tool; its schema is shortened", {**listed, "result": {"tools": tools}})
        part = {"kind": "text", "text": "hello there"}
        params = {"message": {"role": "user", "parts": [part], "messageId": "m1"}}
        agent = f"/a2a/{self._own['echo']}"
        self._keep("a2a/send", "A task that is completed", self._ask("POST", agent, _rpc("message/send", params)))
        said = self._ask("POST", agent, _rpc("message/stream", params))
        self._keep("a2a/stream", "A task, from its beginning to its end", said)
        card = self._ask("GET", f"/.well-known/agent-card.json?assistant_id={self._own['echo']}", host="localhost:8123")
        self._keep("a2a/card", "The card of a graph that talks", card)


def _rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _shortened(schemas: dict[str, Any]) -> dict[str, Any]:
    """Schemas of a graph, without what they say of its fields."""
    return {
        name: {key: schema[key] for key in ("title", "type")} if isinstance(schema, dict) and schema else schema
        for name, schema in schemas.items()
    }
