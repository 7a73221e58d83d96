"""The one seam to Connexion: it refuses OpenAPI 3.1 documents, and has no hook for that.

Connexion 3.3 validates every document against a schema of OpenAPI 3.0. Nothing else of it stands in the way,
since requests are validated by `runyard.handlers.contract.middleware`. So its class for documents is subclassed here,
and nothing of Connexion itself is changed. A test fails as soon as Connexion takes 3.1 by itself: then this module can
go, and `app.add_api(document)` stands for `add_document(app, document)`.
"""

from __future__ import annotations

from typing import Any

from connexion.apps.abstract import AbstractApp
from connexion.middleware.main import API
from connexion.spec import OpenAPISpecification


class OpenAPI31Specification(OpenAPISpecification):
    """An OpenAPI document of which Connexion does not ask that it is a 3.0 one.

    A 3.1 document is not validated here: `scripts/generate` refuses to write an invalid one, and validating it at each
    start would take longer than all the rest of the start. Others are left to Connexion.
    """

    @classmethod
    def _validate_spec(cls, spec: dict[str, Any]) -> None:
        if not str(spec.get("openapi")).startswith("3.1."):
            super()._validate_spec(spec)  # type: ignore[no-untyped-call]


def add_document(app: AbstractApp, document: dict[str, Any]) -> None:
    """Registers the document on the application, with the options that the application was made with.

    The one place where Connexion is given the class above. It does what `app.add_api(document)` does, which always
    takes Connexion's own class. Call it before the first request.
    """
    middleware = app.middleware
    specification = OpenAPI31Specification(document)  # type: ignore[no-untyped-call]
    middleware.apis.append(API(specification, base_path=None, name=None, **vars(middleware.options)))
