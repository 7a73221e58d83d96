"""Where a run goes that is waited for by another one, on the thread that the request names.

Runs of a thread run one at a time, so both on the same thread would wait for each other. LangGraph's RemoteGraph asks
for that wherever it is a node: it takes the thread of its run along, for a thread of that name at another server, which
it has made there (`if_not_exists`).
"""

from __future__ import annotations

from dataclasses import fields
from uuid import UUID, uuid5

from runyard.generated.models import RunCreateStreamingStateful, RunCreateStreamingStateless
from runyard.runtime.auth.inner_requests import acting_for

Awaited = RunCreateStreamingStateful | RunCreateStreamingStateless


def beside_own_thread(thread_id: str, body: RunCreateStreamingStateful) -> tuple[str | None, Awaited]:
    """The thread that is named, and the request. Where a run of that thread makes it, and would have a thread made: one
    beside it, the same each time, by thread and assistant, so that what is called there remembers what it was told; and
    for a run whose thread is removed with it a run that is like that too, on no thread (None)."""
    caller = acting_for.get()
    if caller is None or caller.thread_id != thread_id:
        return thread_id, body
    if body.if_not_exists != "create" or body.multitask_strategy != "enqueue":
        return thread_id, body
    if not caller.temporary:
        return str(uuid5(UUID(thread_id), body.assistant_id)), body
    if body.checkpoint is not None or body.checkpoint_id is not None:
        return thread_id, body  # there are none elsewhere
    given = {item.name: getattr(body, item.name) for item in fields(RunCreateStreamingStateful)}
    names = given.keys() & {item.name for item in fields(RunCreateStreamingStateless)}
    return None, RunCreateStreamingStateless(**{name: given[name] for name in names} | {"on_completion": "delete"})
