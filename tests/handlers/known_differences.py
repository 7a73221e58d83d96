"""Where the server's verdict on a body differs from that of the schema, and is meant to."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from jsonschema import Draft202012Validator

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
    usual: Callable[[Any], Any] | None = None
    """The form in which the server reads the body, and in which the schema's verdict is the server's."""
    operations: frozenset[str] = frozenset()
    """Where it occurs; everywhere, when empty."""

    def explains(
        self, verdict: Verdict, operation: str, raw: bytes, response: httpx.Response, validator: Draft202012Validator
    ) -> bool:
        """Whether a difference of verdicts is this one."""
        if verdict != self.server or (self.operations and operation not in self.operations):
            return False
        if self.usual is not None:
            return validator.is_valid(self.usual(json.loads(raw))) == (verdict == "accepted")
        return re.search(self.detail, response.json()["detail"]) is not None


def in_snake_case(batch: Any) -> Any:
    """The items of a batch with the names and the values that the interface has."""
    return [_item_in_snake_case(item) for item in batch] if isinstance(batch, list) else batch


def _item_in_snake_case(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    values = {"onCompletion": {"complete": "delete", "continue": "keep"}}
    twins = {
        re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name): (
            values.get(name, {}).get(value, value) if isinstance(value, str) else value
        )
        for name, value in item.items()
        if re.fullmatch("[a-z]+([A-Z][a-z]+)+", name)
    }
    others = {name: value for name, value in item.items() if name == name.lower()}
    return {**twins, **others}


def with_usual_ids(value: Any) -> Any:
    """The body with each id in lower case and with hyphens."""
    if isinstance(value, dict):
        return {name: with_usual_ids(each) for name, each in value.items()}
    if isinstance(value, list):
        return [with_usual_ids(each) for each in value]
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else value
    except ValueError:
        return value


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
        "the end of a pattern",
        "In a schema `$` is the end of the text. To Python, whom the other validator asks, a newline may follow.",
        "refused",
        ("POST /threads/{thread_id}/history", rb'{"select": ["next\n"]}'),
        r'\\n" is not of the form',
    ),
    Difference(
        "camelCase beside underscores",
        "The server reads a field under either name; the schema of an item describes the names of one kind alone.",
        "refused",
        ("POST /runs/batch", b'[{"assistant_id": "chain", "afterSeconds": "soon"}]'),
        usual=in_snake_case,
        operations=frozenset({"POST /runs/batch"}),
    ),
    Difference(
        "camelCase behind underscores",
        "The name with underscores wins, so what stands under the other is not looked at.",
        "accepted",
        ("POST /runs/batch", b'[{"assistantId": "chain", "afterSeconds": "soon", "after_seconds": 1}]'),
        usual=in_snake_case,
        operations=frozenset({"POST /runs/batch"}),
    ),
    Difference(
        "spellings of ids",
        "As on the official server, whatever Python reads as a uuid is the id; the document has the usual form alone.",
        "accepted",
        ("POST /threads/prune", b'{"thread_ids": ["4f7c3f6e8a394f9b9c7e0d6a2f1b3c5d"]}'),
        usual=with_usual_ids,
    ),
]
