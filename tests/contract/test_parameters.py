"""Query and header parameters."""

from __future__ import annotations

import uuid

import pytest

THREAD = f"/threads/{uuid.uuid4()}"
RUN = f"{THREAD}/runs/{uuid.uuid4()}"


async def test_defaults(client, runtime):
    await client.get(f"{THREAD}/runs")
    assert runtime.runs.calls[-1][2:] == (10, 0, None)


async def test_values(client, runtime):
    await client.get(f"{THREAD}/runs", params={"limit": 0, "offset": 5, "status": "nope"})
    assert runtime.runs.calls[-1][2:] == (0, 5, "nope")


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
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
async def test_bad_values(client, query, status, detail):
    response = await client.get(f"{THREAD}/runs?{query}")
    assert response.status_code == status
    if detail is not None:
        assert response.json() == {"detail": detail}


async def test_arrays_are_repeated_parameters(client):
    response = await client.get(f"{THREAD}/runs?select=run_id&select=status")
    assert [set(run) for run in response.json()] == [{"run_id", "status"}]


@pytest.mark.parametrize("true", ["true", "True", "1"])
async def test_booleans_as_clients_send_them(client, runtime, true):
    response = await client.post(f"{RUN}/cancel?wait={true}&action=rollback")
    assert response.status_code == 200
    assert runtime.runs.calls[-1] == ("cancel", "rollback", True)
    response = await client.post(f"{RUN}/cancel?wait={'0' if true == '1' else 'false'}")
    assert response.status_code == 202
    assert runtime.runs.calls[-1] == ("cancel", "interrupt", False)


async def test_bad_boolean_and_enum(client):
    assert (await client.post(f"{RUN}/cancel?wait=maybe")).status_code == 400
    response = await client.post(f"{RUN}/cancel?action=explode")
    assert response.status_code == 422
    assert response.json() == {"detail": 'query.action: "explode" is not one of "interrupt", "rollback"'}


async def test_last_event_id_and_modes(client, runtime):
    await client.get(f"{RUN}/stream?stream_mode=values,updates", headers={"last-event-id": "-1"})
    assert runtime.runs.calls[-1] == ("watch", "-1", ["values", "updates"])
    await client.get(f"{RUN}/stream")
    assert runtime.runs.calls[-1] == ("watch", None, None)
