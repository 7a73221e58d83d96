"""What is told of a run that has ended, by webhook."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from runyard.runtime.storage.rows.rows import iso_time, run_from_row


def run_payload(row: dict[str, Any], values: bytes | None, error: bytes | None) -> bytes:
    """`values` and `error` are JSON and sent as they are."""
    payload = {
        **asdict(run_from_row(row)),
        "run_started_at": None if row["started_at"] is None else iso_time(row["started_at"]),
        "run_ended_at": iso_time(row["ended_at"]),
        "values": None if values is None else orjson.Fragment(values),
    }
    if error is not None:
        payload["error"] = orjson.Fragment(error)
    return orjson.dumps(payload)
