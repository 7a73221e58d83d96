"""The one patch of Connexion."""

from __future__ import annotations

import subprocess
import sys

import pytest
from connexion.exceptions import InvalidSpecification
from connexion.spec import Specification

from runyard.handlers.contract.openapi31 import accept_openapi_31

UNPATCHED = """
from connexion.spec import Specification
from connexion.exceptions import InvalidSpecification
from runyard.handlers.contract.document import load_document
try:
    Specification.load(load_document())
except InvalidSpecification:
    print("refused")
"""


def test_connexion_alone_still_refuses_3_1():
    """When this fails, Connexion has learnt OpenAPI 3.1: remove handlers/contract/openapi31.accept_openapi_31."""
    done = subprocess.run([sys.executable, "-c", UNPATCHED], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def test_3_1_is_accepted(document):
    accept_openapi_31()
    assert Specification.load(document).version == (3, 1, 0)


def test_broken_3_0_documents_are_still_refused():
    accept_openapi_31()
    with pytest.raises(InvalidSpecification):
        Specification.load({"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": 5})
