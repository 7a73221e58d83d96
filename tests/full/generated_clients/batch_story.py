"""A batch from its submission to its results, by the client that openapi-python-client generates."""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

from runyard_client import Client
from runyard_client.api.stateless_runs import create_batch
from runyard_client.api.thread_runs import get_thread_run, join_thread_run
from runyard_client.api.threads import get_thread, get_thread_state
from runyard_client.models import (
    Command,
    ErrorResponse,
    Run,
    RunCreateCamelCase,
    RunCreateStateless,
    RunCreateStatelessMetadata,
    RunCreateStatelessOnCompletion,
    RunResult,
    RunStatus,
    Thread,
    ThreadStatePart,
)


def follow(client: Client, run: Run) -> dict[str, Any]:
    """The values of a run, once it has ended well."""
    values = join_thread_run.sync(run.thread_id, run.run_id, client=client)
    assert isinstance(values, RunResult), values
    ended = get_thread_run.sync(run.thread_id, run.run_id, client=client)
    assert isinstance(ended, Run), ended
    assert ended.status is RunStatus.SUCCESS
    return values.additional_properties


def main(url: str) -> None:
    client = Client(base_url=url, raise_on_unexpected_status=True)
    line = RunCreateStatelessMetadata()
    line["job"] = "7"
    items: list[RunCreateCamelCase | RunCreateStateless] = [
        RunCreateStateless(
            assistant_id="chain", input_={"n": n}, metadata=line, on_completion=RunCreateStatelessOnCompletion.KEEP
        )
        for n in range(3)
    ]
    items.append(
        RunCreateStateless(
            assistant_id="chain",
            command=Command(update=[["log", ["sent"]]]),
            on_completion=RunCreateStatelessOnCompletion.KEEP,
        )
    )
    runs = create_batch.sync(client=client, body=items)
    assert isinstance(runs, list), runs
    assert [run.status for run in runs] == [RunStatus.PENDING] * 4
    assert runs[0].metadata["job"] == "7"
    values = [follow(client, run) for run in runs]
    assert [each["n"] for each in values] == [111, 112, 113, 111], values

    thread = get_thread.sync(runs[0].thread_id, client=client)
    assert isinstance(thread, Thread), thread
    assert thread.values == values[0]
    state = get_thread_state.sync(runs[0].thread_id, client=client)
    assert isinstance(state, ThreadStatePart), state
    assert state.values == values[0]
    assert state.next_ == []

    refused = create_batch.sync_detailed(client=client, body=[])
    assert refused.status_code == 422
    assert isinstance(refused.parsed, ErrorResponse)
    assert "less than 1 item" in refused.parsed.detail
    missing = get_thread.sync(uuid4(), client=client)
    assert isinstance(missing, ErrorResponse)
    sys.stdout.write("the batch came to its end\n")


if __name__ == "__main__":
    main(sys.argv[1])
