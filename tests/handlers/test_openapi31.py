"""The one seam to Connexion."""

from __future__ import annotations

from typing import Any

import pytest
from connexion.exceptions import InvalidSpecification
from connexion.spec import Specification

from runyard.handlers.app import create_app
from runyard.handlers.contract.openapi31 import OpenAPI31Specification, outline

from .documents import Document
from .fakes.runtime import FakeRuntime


def load_alone(document: dict[str, Any]) -> None:
    Specification.load(document)  # type: ignore[no-untyped-call]


def load(document: dict[str, Any]) -> Specification:
    return OpenAPI31Specification(document)  # type: ignore[no-untyped-call]


def test_connexion_alone_still_refuses_3_1(document: Document) -> None:
    """When this fails, Connexion has learnt OpenAPI 3.1: remove handlers/contract/openapi31."""
    with pytest.raises(InvalidSpecification):
        load_alone(document)


def test_connexion_itself_stays_as_it_is(document: Document, runtime: FakeRuntime) -> None:
    """Other applications in the same process are not concerned."""
    create_app(runtime)
    with pytest.raises(InvalidSpecification):
        load_alone(document)


def test_3_1_is_accepted(document: Document) -> None:
    assert load(document).version == (3, 1, 0)


def test_a_copy_of_a_3_1_document_is_accepted(document: Document) -> None:
    copy = load(document).with_base_path("/below")  # type: ignore[no-untyped-call]
    assert copy.base_path == "/below"


def test_the_application_gets_the_document_as_add_api_would_give_it(runtime: FakeRuntime) -> None:
    app = create_app(runtime)
    app.add_api({"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {}})
    ours, theirs = app.middleware.apis
    assert isinstance(ours.specification, OpenAPI31Specification)
    assert ours.kwargs == theirs.kwargs
    assert ours.base_path == theirs.base_path


def test_connexion_knows_the_parameters_of_all_operations(document: Document) -> None:
    """With all that they refer to put in, and without the bodies and answers, which it would copy again and again."""
    known = load(outline(document))
    bound = {(path, method): each for path, item in known["paths"].items() for method, each in item.items()}
    assert bound.keys() == {(path, method) for path, item in document["paths"].items() for method in item}
    for (path, method), operation in bound.items():
        definition = document["paths"][path][method]
        assert operation["operationId"] == definition["operationId"]
        assert len(operation["parameters"]) == len(definition.get("parameters", ()))
        assert all(parameter["name"] and parameter["in"] for parameter in operation["parameters"])
    assert "$ref" not in str(bound)
    assert not any("requestBody" in operation or operation["responses"] for operation in bound.values())


def test_broken_3_0_documents_are_still_refused() -> None:
    with pytest.raises(InvalidSpecification):
        load({"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": 5})
