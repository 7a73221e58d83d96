"""The one place where Connexion is patched: it refuses OpenAPI 3.1 documents, and has no hook for that.

Connexion 3.3 validates every document against a schema of OpenAPI 3.0. Nothing else of it stands in the way,
since requests are validated by `runyard.handlers.contract.middleware`. A test fails as soon as Connexion takes 3.1 by
itself: then this module can go.
"""

from __future__ import annotations

from typing import Any

from connexion.spec import OpenAPISpecification, Specification


def accept_openapi_31() -> None:
    """Lets Connexion load 3.1 documents from now on. Calling it again changes nothing.

    The document is not validated here: `scripts/generate` refuses to write an invalid one, and validating it
    at each start would take longer than all the rest of the start.
    """
    OpenAPISpecification._validate_spec = classmethod(_validate_spec)  # type: ignore[method-assign, assignment]


def _validate_spec(cls: type[Specification], spec: dict[str, Any]) -> None:
    if not str(spec.get("openapi")).startswith("3.1."):
        Specification.__dict__["_validate_spec"].__get__(None, cls)(spec)
