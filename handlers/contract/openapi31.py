"""The one seam to Connexion: it refuses OpenAPI 3.1 documents, and has no hook for that.

Connexion 3.3 validates every document against a schema of OpenAPI 3.0. Nothing else of it stands in the way,
since requests are validated by `runyard.handlers.contract.middleware`. So its class for documents is subclassed here,
and nothing of Connexion itself is changed. A test fails as soon as Connexion takes 3.1 by itself: then this module can
go, and `app.add_api(document)` stands for `add_document(app, document)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connexion.apps.abstract import AbstractApp
from connexion.http_facts import METHODS
from connexion.middleware.main import API
from connexion.spec import OpenAPISpecification

from runyard.handlers.contract.faults import referred


class OpenAPI31Specification(OpenAPISpecification):
    """An OpenAPI document of which Connexion does not ask that it is a 3.0 one.

    A 3.1 document is not validated here: `scripts/generate` refuses to write an invalid one, and validating it at each
    start would take longer than all the rest of the start. Others are left to Connexion.
    """

    @classmethod
    def _validate_spec(cls, spec: dict[str, Any]) -> None:
        if not str(spec.get("openapi")).startswith("3.1."):
            super()._validate_spec(spec)  # type: ignore[no-untyped-call]


def add_document(app: AbstractApp, document: Mapping[str, Any]) -> None:
    """Registers the document on the application, with the options that the application was made with.

    The one place where Connexion is given the class above. It does what `app.add_api(outline(document))` does, which
    always takes Connexion's own class. Call it before the first request.
    """
    middleware = app.middleware
    specification = OpenAPI31Specification(outline(document))  # type: ignore[no-untyped-call]
    middleware.apis.append(API(specification, base_path=None, name=None, **vars(middleware.options)))


def outline(document: Mapping[str, Any]) -> dict[str, Any]:
    """What Connexion needs of a document to bind its operations and to call its pages: their ids and parameters.

    Bodies and answers are validated by middlewares of our own, and pages say the types of their answers themselves.
    Connexion would copy all schemas to where they are referred to, which takes half of the time of making an app.
    """
    components = document["components"]

    def operation(definition: Mapping[str, Any]) -> dict[str, Any]:
        parameters = [
            components["parameters"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for each in definition.get("parameters", ())
        ]
        return {"operationId": definition["operationId"], "parameters": parameters, "responses": {}}

    paths = {
        path: {method: operation(item[method]) for method in item if method in METHODS}
        for path, item in document["paths"].items()
    }
    return {
        "openapi": document["openapi"],
        "info": {key: document["info"][key] for key in ("title", "version")},
        "paths": paths,
        "components": {"schemas": referred(paths, components["schemas"])},
    }
