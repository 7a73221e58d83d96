"""The server's verdict on made up bodies, compared with that of another validator than the server's.

`RUNYARD_FUZZ_BODIES` says how many bodies an operation gets, `RUNYARD_FUZZ_SEED` where they start from.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from rfc3986_validator import validate_rfc3986

from runyard.handlers.contract.document import load_document

from .asgi_client import connected
from .documents import Schema, body_of
from .fakes.everybody import Everybody
from .fakes.runtime import FakeRuntime
from .known_differences import DIFFERENCES, Difference, Verdict
from .made_up_bodies import body_schema, edges, keywords, mutated_bodies, valid_bodies, written
from .made_up_values import ANNOTATIONS, FORMATS, KEYWORDS

UUID = "4f7c3f6e-8a39-4f9b-9c7e-0d6a2f1b3c5d"
Ask = Callable[[str, str, bytes], httpx.Response]

DOCUMENT = load_document()
_DECLARED = {
    f"{method.upper()} {path}": body
    for path, item in DOCUMENT["paths"].items()
    for method, definition in item.items()
    if (body := body_of(definition)) and not definition.get("x-runyard-own-errors")
}
EXAMPLES = {name: next(iter(body["examples"].values()))["value"] for name, body in _DECLARED.items()}
BODIES: dict[str, Schema] = {name: body_schema(body["schema"], DOCUMENT) for name, body in _DECLARED.items()}
"""The schema of each request body, by its operation. What comes in JSON-RPC is refused in its own form, see
tests/protocols."""
FORMAT_CHECKER = FormatChecker(["uuid"])
"""Knows the formats of the bodies itself: jsonschema leaves a format unchecked where a package is missing."""


@FORMAT_CHECKER.checks("uri-reference")
def is_uri_reference(value: object) -> bool:
    """RFC 3986: "%" stands before two hex digits, and no line ends behind the reference."""
    if not isinstance(value, str):
        return True
    return not value.endswith("\n") and validate_rfc3986(value, rule="URI_reference") is not None


VALIDATORS = {
    operation: Draft202012Validator(schema, format_checker=FORMAT_CHECKER) for operation, schema in BODIES.items()
}


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Sends a body to an application in this process."""
    with asyncio.Runner() as runner:
        connection = connected(FakeRuntime(authenticator=Everybody()))
        client = runner.run(connection.__aenter__())

        def send(method: str, path: str, content: bytes) -> httpx.Response:
            return runner.run(client.request(method, path, content=content))

        yield send
        runner.run(connection.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def examples(pytestconfig: pytest.Config) -> int:
    """Bodies of each kind for each operation."""
    return int(os.environ.get("RUNYARD_FUZZ_BODIES", 100 if pytestconfig.getoption("--full") else 15))


def compare(ask: Ask, operation: str, raw: bytes) -> None:
    """Holds the two verdicts together, but for the differences that are meant."""
    method, _, template = operation.partition(" ")
    response = ask(method, re.sub(r"\{\w+\}", UUID, template), raw)
    assert response.status_code in (200, 204, 400, 404, 409, 422), response.text
    refused = response.status_code in (400, 422)
    assert not refused or response.json()["detail"].strip()
    valid = VALIDATORS[operation].is_valid(json.loads(raw))
    if refused != valid:
        return
    verdict: Verdict = "refused" if refused else "accepted"
    explained = [
        each for each in DIFFERENCES if each.explains(verdict, operation, raw, response, VALIDATORS[operation])
    ]
    assert explained, (
        f"{operation} {raw!r}: the schema says valid={valid}, the server {response.status_code} {response.text}"
    )


def run(ask: Ask, operation: str, bodies: st.SearchStrategy[Any], examples: int, start: int) -> None:
    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(written(bodies))
    def check(raw: bytes) -> None:
        compare(ask, operation, raw)

    check()


@pytest.mark.parametrize("operation", BODIES)
def test_the_server_takes_what_the_schema_allows(ask: Ask, operation: str, examples: int, fuzz_seed: int) -> None:
    bodies = valid_bodies(BODIES[operation]).filter(VALIDATORS[operation].is_valid)
    run(ask, operation, bodies, examples, fuzz_seed)


@pytest.mark.parametrize("operation", BODIES)
def test_the_server_refuses_what_the_schema_forbids(ask: Ask, operation: str, examples: int, fuzz_seed: int) -> None:
    run(ask, operation, mutated_bodies(BODIES[operation]), 2 * examples, fuzz_seed)


@pytest.mark.parametrize("operation", BODIES)
def test_the_verdicts_agree_at_the_edge_of_every_bound(ask: Ask, operation: str) -> None:
    for name, value in edges(BODIES[operation]):
        body = copy.deepcopy(EXAMPLES[operation])
        (body[0] if isinstance(body, list) else body)[name] = value
        compare(ask, operation, json.dumps(body).encode())


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.name)
def test_each_known_difference_is_real(ask: Ask, difference: Difference) -> None:
    operation, raw = difference.example
    method, _, template = operation.partition(" ")
    response = ask(method, re.sub(r"\{\w+\}", UUID, template), raw)
    refused = response.status_code in (400, 422)
    assert refused == VALIDATORS[operation].is_valid(json.loads(raw)), "the verdicts do not differ"
    assert difference.explains("refused" if refused else "accepted", operation, raw, response, VALIDATORS[operation])


@pytest.mark.parametrize("reference", ["/%", "/%zz", "/%4", "/\n", "/a b", "http://[::1", "/é"])
def test_a_webhook_that_is_no_uri_reference_is_refused_by_schema_and_server(ask: Ask, reference: str) -> None:
    body = json.dumps({**EXAMPLES["POST /runs/wait"], "webhook": reference})
    response = ask("POST", "/runs/wait", body.encode())
    assert response.status_code == 422
    assert "webhook" in response.json()["detail"]
    assert not VALIDATORS["POST /runs/wait"].is_valid(json.loads(body))


@pytest.mark.parametrize("name", FORMATS)
def test_what_the_generator_makes_of_a_format_is_of_that_format(name: str) -> None:
    @settings(max_examples=50, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(FORMATS[name])
    def check(value: str) -> None:
        assert FORMAT_CHECKER.conforms(value, name)

    assert name in FORMAT_CHECKER.checkers
    check()


def test_the_generator_knows_every_keyword_of_the_bodies() -> None:
    used = set().union(*(keywords(schema) for schema in BODIES.values()))
    assert used <= KEYWORDS | ANNOTATIONS | {"components", "schemas"}
