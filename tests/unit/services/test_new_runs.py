"""What a project lays down for new runs."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.generated.models import Assistant, RunCreateStateful, RunCreateStateless
from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import Invalid
from runyard.runtime.services import new_runs
from runyard.runtime.services.new_runs import NO_HEADERS, RunRules, new_stateless_run, new_thread_run
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.runs import Interest, Lane, NewRun

ASSISTANT = Assistant(
    assistant_id="a",
    graph_id="g",
    config={"configurable": {"x-team": "assistant"}},
    context={},
    metadata={},
    name="g",
    description=None,
    version=1,
    created_at="",
    updated_at="",
)
DAY = Expiry("delete", 1440)


def stateless(rules: RunRules, headers: Any = NO_HEADERS, **request: Any) -> NewRun:
    return new_stateless_run(
        RunCreateStateless(assistant_id="a", **request), ASSISTANT, rules, headers, request_id="r", lane=Lane.SINGLE
    )


def test_only_threads_that_stay_have_a_lifetime() -> None:
    rules = RunRules(webhooks=WebhookPolicy(), expiry=DAY)
    assert stateless(rules, on_completion="delete").expiry is None
    assert stateless(rules, on_completion="keep").expiry == DAY
    request = RunCreateStateful(assistant_id="a", if_not_exists="create")
    run = new_thread_run(request, ASSISTANT, rules, NO_HEADERS, thread_id="t", request_id="r", lane=Lane.SINGLE)
    assert (run.create_thread, run.expiry) == (True, DAY)


def test_what_is_streamed_is_stored_where_it_reaches_other_servers_by_storage_alone() -> None:
    for stores_streams in (False, True):
        rules = RunRules(webhooks=WebhookPolicy(), stores_streams=stores_streams)
        assert stateless(rules, stream_resumable=True).resumable
        for interest in Interest:
            asked = RunCreateStateless(assistant_id="a"), ASSISTANT, rules, NO_HEADERS
            run = new_stateless_run(*asked, request_id="r", lane=Lane.SINGLE, interest=interest)
            assert run.resumable == (stores_streams and interest == Interest.EVENTS)


def test_headers_win_over_body_and_assistant_but_not_over_ids() -> None:
    headers = {"x-team": "header", "run_id": "header"}
    run = stateless(RunRules(webhooks=WebhookPolicy()), headers, config={"configurable": {"x-team": "body"}})
    configurable = run.kwargs["config"]["configurable"]
    assert (configurable["x-team"], configurable["run_id"]) == ("header", run.run_id)
    assert run.kwargs["context"] == {"x-team": "body"}, "headers are no part of the context"


def test_a_disabled_webhook_is_shown_but_not_called() -> None:
    run = stateless(RunRules(webhooks=WebhookPolicy(enabled=False)), webhook="http://localhost/")
    assert (run.webhook, run.kwargs["webhook"]) == (None, "http://localhost/")
    with pytest.raises(Invalid, match="https"):
        stateless(RunRules(webhooks=WebhookPolicy()), webhook="http://localhost/")


def test_the_calls_of_tools_are_asked_of_a_langgraph_that_streams_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = RunRules(webhooks=WebhookPolicy())
    assert stateless(rules, stream_mode="tools").kwargs["stream_mode"] == ["tools"]
    monkeypatch.setattr(new_runs, "knows_tools", lambda: False)
    with pytest.raises(Invalid, match="stream_mode"):
        stateless(rules, stream_mode=["values", "tools"])
