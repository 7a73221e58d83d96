"""Which headers of a request reach the runs that it makes."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.handlers.contract.header_selection import SECRETS, header_selector, logged_headers, run_headers
from runyard.runtime.config.project import HeaderFilter

from .asgi_client import connected
from .fakes.runtime import FakeRuntime

SENT = {"X-User-Id": "u1", "X-User-Token": "t", "X-Team": "a", "Authorization": "Bearer x", "X-Api-Key": "k"}
EVERYTHING = HeaderFilter(includes=("*",))


def selected(patterns: HeaderFilter, sent: dict[str, str] | None = None) -> dict[str, str]:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in (sent or SENT).items()]
    return header_selector(patterns)(headers)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ({"includes": ("x-user-*",)}, {"x-user-id", "x-user-token"}),
        ({"includes": ("X-Team",)}, {"x-team"}),
        ({"includes": ("*",)}, {"x-user-id", "x-user-token", "x-team"}),
        ({"includes": ("*",), "excludes": ("*token*", "*e?m")}, {"x-user-id", "x-team"}),
        ({"includes": ("x-api-key", "authorization")}, {"x-api-key", "authorization"}),
        ({"includes": ("x-api-key",), "excludes": ("*key*",)}, set()),
        ({"excludes": ("x-user-*",)}, {"x-team"}),
        ({}, {"x-user-id", "x-user-token", "x-team"}),
        ({"includes": ()}, set()),
    ],
)
def test_patterns_select_by_name(patterns: dict[str, Any], names: set[str]) -> None:
    assert selected(HeaderFilter(**patterns)).keys() == names


def test_secrets_have_to_be_named() -> None:
    assert selected(EVERYTHING, dict.fromkeys(SECRETS, "x")) == {}


def test_what_is_said_of_a_batch_has_to_be_named() -> None:
    headers = {"x-batch-metadata": "{}", "x-batch-name": "n", "x-team": "blue"}
    assert selected(HeaderFilter(), headers) == {"x-team": "blue"}
    assert selected(HeaderFilter(includes=("x-batch-name",)), headers) == {"x-batch-name": "n"}


def test_keys_of_the_server_are_not_for_clients() -> None:
    assert selected(EVERYTHING, {"langgraph_auth_user": "x", "__pregel_store": "x", "a": "1"}) == {"a": "1"}


TRACED = {
    "langsmith-trace": "20240101T000000000000Zc6f87718-6d76-407e-881e-d162ae2eb154",
    "baggage": "o=1,langsmith-metadata=%7B%22a%22%3A%22b%22%7D,langsmith-tags=x%2Cy, langsmith-project=my%20project",
}


def traced(patterns: HeaderFilter, sent: dict[str, str]) -> dict[str, Any]:
    return run_headers(patterns)([(name.encode(), value.encode("latin-1")) for name, value in sent.items()])


def test_the_trace_of_a_caller_is_taken_apart() -> None:
    assert traced(HeaderFilter(includes=()), TRACED) == {
        "langsmith-trace": TRACED["langsmith-trace"],
        "langsmith-metadata": {"a": "b"},
        "langsmith-tags": ["x", "y"],
        "langsmith-project": "my project",
    }


@pytest.mark.parametrize("pattern", ["langsmith-*", "*"])
def test_a_project_may_exclude_traces(pattern: str) -> None:
    assert traced(HeaderFilter(includes=("*",), excludes=(pattern,)), TRACED).keys() <= {"baggage"}


def test_baggage_without_a_trace_is_none_of_langsmiths() -> None:
    assert traced(HeaderFilter(includes=()), {"baggage": TRACED["baggage"]}) == {}


@pytest.mark.parametrize(
    "wrong", ["langsmith-metadata=no%20json", "langsmith-metadata=[1]", ",;=,", "langsmith-project="]
)
def test_baggage_that_cannot_be_read_is_passed_over(wrong: str) -> None:
    trace = {"langsmith-trace": TRACED["langsmith-trace"]}
    assert traced(HeaderFilter(includes=()), {**trace, "baggage": wrong}) == trace


def test_the_log_of_requests_has_no_trace_unless_it_is_named() -> None:
    sent = [(name.encode(), value.encode()) for name, value in TRACED.items()]
    assert logged_headers(HeaderFilter())(sent) == {}
    assert logged_headers(HeaderFilter(includes=("langsmith-*",)))(sent).keys() == {"langsmith-trace"}


def test_what_a_trace_can_store_with_a_run_is_bounded() -> None:
    long = "x" * 9000
    assert traced(HeaderFilter(includes=()), {**TRACED, "langsmith-trace": long}) == {}
    kept = traced(HeaderFilter(includes=()), {**TRACED, "baggage": f"langsmith-project={long}"})
    assert kept == {"langsmith-trace": TRACED["langsmith-trace"]}


def test_headers_that_come_several_times_are_joined() -> None:
    select = header_selector(HeaderFilter(includes=("x-a",)))
    for _ in range(2):
        assert select([(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"\xfc")]) == {"x-a": "1, \xfc"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/runs", {"assistant_id": "chain"}),
        ("/runs/wait", {"assistant_id": "chain"}),
        ("/runs/stream", {"assistant_id": "chain"}),
        ("/runs/batch", [{"assistant_id": "chain"}]),
        ("/threads/4462ebfc-5f91-4ef0-9cfb-ac6e7687a66e/runs", {"assistant_id": "chain"}),
        ("/threads/ad38835e-ddd6-4f55-afa7-3207237751aa/runs/wait", {"assistant_id": "chain"}),
        ("/threads/76b67451-80b6-4386-969c-803601a5ba50/runs/stream", {"assistant_id": "chain"}),
    ],
)
async def test_every_way_to_make_a_run_hands_them_on(path: str, body: object) -> None:
    for patterns, expected in ((HeaderFilter(includes=("x-team",)), {"x-team": "a"}), (None, {})):
        runtime = FakeRuntime(configurable_headers=patterns)
        async with connected(runtime) as client:
            await client.post(path, json=body, headers=SENT)
        assert runtime.runs.headers == [expected]
