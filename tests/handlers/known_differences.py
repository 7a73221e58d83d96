"""Where the server's verdict on a body differs from that of the schema, and is meant to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx

Verdict = Literal["refused", "accepted"]


@dataclass(frozen=True)
class Difference:
    """A kind of body that the schema allows and the server refuses, or the other way round."""

    name: str
    reason: str
    server: Verdict
    """What the server does; the schema says the opposite."""
    example: tuple[str, bytes]
    """An operation, and a body for which the verdicts differ."""
    detail: str = ""
    """A regular expression that a refusal's detail has to match."""
    is_such: Callable[[bytes], bool] = lambda raw: True
    operations: frozenset[str] = frozenset()
    """Where it occurs; everywhere, when empty."""

    def explains(self, verdict: Verdict, operation: str, raw: bytes, response: httpx.Response) -> bool:
        """Whether a difference of verdicts is this one."""
        if verdict != self.server or (self.operations and operation not in self.operations) or not self.is_such(raw):
            return False
        return verdict == "accepted" or re.search(self.detail, response.json()["detail"]) is not None


DIFFERENCES = [
    Difference(
        "NUL",
        "SQL text cannot hold the character, and to drop it would change the value.",
        "refused",
        ("POST /runs", rb'{"assistant_id": "chain", "input": "\u0000"}'),
        r"NUL characters \(\\u0000\) cannot be kept",
    ),
    Difference(
        "64 bits",
        "Stores and JSON libraries round larger integers.",
        "refused",
        ("POST /runs", b'{"assistant_id": "chain", "input": 18446744073709551616}'),
        "the integer does not fit into 64 bits",
    ),
    Difference(
        "duplicate keys",
        "Which of the two is meant cannot be known. A schema sees only the last.",
        "refused",
        ("POST /runs", b'{"assistant_id": "echo", "assistant_id": "chain"}'),
        "occurs more than once",
    ),
    Difference(
        "nesting",
        "What is nested deeper than 200 levels could not be written again.",
        "refused",
        ("POST /runs", b'{"assistant_id": "chain", "input": ' + b"[" * 200 + b"]" * 200 + b"}"),
        "nested deeper than 200 levels",
    ),
    Difference(
        "camelCase twins",
        "The stock JavaScript client sends the items of a batch so; `x-camel-case-twins` says it beside the schema.",
        "accepted",
        ("POST /runs/batch", b'[{"assistantId": "chain"}]'),
        is_such=lambda raw: re.search(rb'"[a-z]+[A-Z][A-Za-z]*": ', raw) is not None,
        operations=frozenset({"POST /runs/batch"}),
    ),
]
"""Of what is lax on purpose in other places (ids in capitals, 1.0 for 1), the schema says the same as the server."""
