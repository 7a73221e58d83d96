"""Query and header parameters."""

from __future__ import annotations

import httpx
import pytest

from .fakes.runtime import FakeRuntime

THREAD = "/threads/a170b338-3926-4059-b28c-105d1fb17c23"
RUN = f"{THREAD}/runs/0fd630f1-f29d-4da9-953f-48f1a09f76b5"


async def test_defaults(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.get(f"{THREAD}/runs")
    assert runtime.runs.calls[-1][2:] == (10, 0, None)


async def test_values(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.get(f"{THREAD}/runs", params={"limit": 0, "offset": 5, "status": "nope"})
    assert runtime.runs.calls[-1][2:] == (0, 5, "nope")


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        # The only 400s among them, as clients of the official server know them.
        ("limit=x", 400, 'query.limit: "x" is not a whole number'),
        ("limit=", 400, 'query.limit: "" is not a whole number'),
        ("limit=1.0", 400, 'query.limit: "1.0" is not a whole number'),
        ("limit=٣", 400, 'query.limit: "٣" is not a whole number'),
        ("limit=99999999999999999999", 400, None),
        ("limit=-1", 422, "query.limit: -1 is not at least 0"),
        ("select=run_id&select=zzz", 422, None),
        ("select=run_id,status", 422, None),
    ],
)
async def test_bad_values(client: httpx.AsyncClient, query: str, status: int, detail: str | None) -> None:
    response = await client.get(f"{THREAD}/runs?{query}")
    assert response.status_code == status
    if detail is not None:
        assert response.json() == {"detail": detail}


async def test_arrays_are_repeated_parameters(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{THREAD}/runs?select=run_id&select=status")
    assert [set(run) for run in response.json()] == [{"run_id", "status"}]


@pytest.mark.parametrize("true", ["true", "True", "1"])
async def test_booleans_as_clients_send_them(client: httpx.AsyncClient, runtime: FakeRuntime, true: str) -> None:
    response = await client.post(f"{RUN}/cancel?wait={true}&action=rollback")
    assert response.status_code == 200
    assert runtime.runs.calls[-1] == ("cancel", "rollback")
    response = await client.post(f"{RUN}/cancel?wait={'0' if true == '1' else 'false'}")
    assert response.status_code == 202
    assert runtime.runs.calls[-1] == ("cancel", "interrupt")


async def test_bad_boolean_and_enum(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{RUN}/cancel?wait=maybe")
    assert (response.status_code, response.json()) == (422, {"detail": 'query.wait: "maybe" is neither true nor false'})
    for target, body in ((f"{RUN}/cancel", None), ("/runs/cancel", {"status": "all"})):
        response = await client.post(f"{target}?action=explode", json=body)
        assert response.status_code == 422
        assert response.json() == {"detail": 'query.action: "explode" is not one of "interrupt", "rollback"'}


async def test_an_unknown_action_for_a_run_that_has_ended(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    runtime.runs.status = "success"
    assert (await client.post(f"{RUN}/cancel?action=explode")).status_code == 404


@pytest.mark.parametrize("query", ["limit=many", "limit=1.5", "limit=", "limit=-1", "limit=1001"])
async def test_bad_limits_of_a_history(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"{THREAD}/history?{query}")).status_code == 422


@pytest.mark.parametrize("query", ["stream_mode=values,updates", "stream_mode=values&stream_mode=updates"])
@pytest.mark.parametrize("target", [RUN, "/runs/0cb1e29c-658c-4a14-95e6-0af593bd04cf"])
async def test_last_event_id_and_modes(
    client: httpx.AsyncClient, runtime: FakeRuntime, target: str, query: str
) -> None:
    await client.get(f"{target}/stream?{query}", headers={"last-event-id": "-1"})
    assert runtime.runs.calls[-1][-2:] == ("-1", ["values", "updates"])
    await client.get(f"{target}/stream")
    assert runtime.runs.calls[-1][-2:] == (None, None)


@pytest.mark.parametrize(
    ("query", "modes"),
    [
        ("", ["run_modes"]),
        ("?stream_modes=lifecycle", ["lifecycle"]),
        ("?stream_modes=lifecycle&stream_modes=state_update", ["lifecycle", "state_update"]),
        ("?stream_mode=state_update", ["state_update"]),
        ("?stream_mode=run_modes&stream_mode=lifecycle", ["run_modes", "lifecycle"]),
    ],
)
async def test_modes_of_a_thread_by_either_name(
    client: httpx.AsyncClient, runtime: FakeRuntime, query: str, modes: list[str]
) -> None:
    await client.get(f"{THREAD}/stream{query}", headers={"last-event-id": "5-1"})
    assert runtime.runs.calls[-1] == ("watch_thread", "5-1", modes)


async def test_unknown_modes_of_a_thread(client: httpx.AsyncClient) -> None:
    for name in ("stream_mode", "stream_modes"):
        assert (await client.get(f"{THREAD}/stream?{name}=zzz")).status_code == 422


@pytest.mark.parametrize(
    ("query", "xray"),
    [("", False), ("?xray=true", True), ("?xray=True", True), ("?xray=false", False), ("?xray=1", 1), ("?xray=12", 12)],
)
async def test_xray_is_a_switch_or_a_depth(
    client: httpx.AsyncClient, runtime: FakeRuntime, query: str, xray: bool | int
) -> None:
    await client.get(f"/assistants/chain/graph{query}")
    given = runtime.assistants.calls[-1][2]
    assert given == xray
    assert type(given) is type(xray)


@pytest.mark.parametrize("xray", ["0", "-1", "maybe", "1.5", ""])
async def test_bad_xray(client: httpx.AsyncClient, xray: str) -> None:
    response = await client.get(f"/assistants/chain/graph?xray={xray}")
    assert response.status_code == 422
    assert "query.xray" in response.json()["detail"]
