"""The one patch of Connexion."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from connexion.exceptions import InvalidSpecification
from connexion.spec import Specification

from runyard.handlers.contract.openapi31 import accept_openapi_31

from .documents import Document

UNPATCHED = """
from connexion.spec import Specification
from connexion.exceptions import InvalidSpecification
from runyard.handlers.contract.document import load_document
try:
    Specification.load(load_document())
except InvalidSpecification:
    print("refused")
"""


def load(document: dict[str, Any]) -> Specification:
    specification: Specification = Specification.load(document)  # type: ignore[no-untyped-call]
    return specification


def test_connexion_alone_still_refuses_3_1() -> None:
    """When this fails, Connexion has learnt OpenAPI 3.1: remove handlers/contract/openapi31.accept_openapi_31."""
    done = subprocess.run([sys.executable, "-c", UNPATCHED], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_3_1_is_accepted(document: Document) -> None:
    accept_openapi_31()
    assert load(document).version == (3, 1, 0)


def test_broken_3_0_documents_are_still_refused() -> None:
    accept_openapi_31()
    with pytest.raises(InvalidSpecification):
        load({"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": 5})
