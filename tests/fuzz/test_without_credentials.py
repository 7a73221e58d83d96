"""Requests that Schemathesis makes up, without credentials, to a server that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, GenerationMode

from runyard.handlers.contract.document import is_public, load_document
from tests.live_server import LiveServer

PROJECT = Path(__file__).parents[1] / "sample_projects" / "token_table" / "langgraph.json"
DOCUMENT = load_document()

pytestmark = pytest.mark.full

schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("closed") / "data", config=PROJECT, args=("--workers", "0"))
    yield server.start()
    server.close()


@schema.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=[*HealthCheck], database=None)
def test_no_operation_answers_without_credentials_but_the_public_ones(case: Case[Any], server: LiveServer) -> None:
    answer = case.call(base_url=server.url, timeout=60)
    definition = DOCUMENT["paths"][case.path].get(case.method.lower())
    if definition is None:
        # OPTIONS names the methods of a path; HEAD is there with some GETs.
        expected = {"OPTIONS": (204,), "HEAD": (200, 401, 405)}.get(case.method.upper(), (405,))
        assert answer.status_code in expected
        assert answer.content == b"" or answer.status_code == 405
    elif not is_public(definition) and answer.json() != {"detail": "Not Found"}:  # a slash in a name is another path
        assert answer.status_code == 401, (case.method, case.path, answer.text)
