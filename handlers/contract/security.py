"""What the served document says about authentication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runyard.handlers.contract.document import is_public
from runyard.runtime.config.project import AuthSection

_BEARER: Final = {
    "securitySchemes": {
        "authorization": {
            "type": "http",
            "scheme": "bearer",
            "description": "What the project asks for; it says more with auth.openapi in langgraph.json.",
        }
    },
    "security": [{"authorization": []}],
}
_KEYS: Final = {
    "securitySchemes": {
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "One of the server's API keys."},
        "bearer": {"type": "http", "scheme": "bearer", "description": "The same, as a bearer token."},
    },
    "security": [{"key": []}, {"bearer": []}],
}
_DENIED: Final = {
    "description": "Authentication does not let the request in. The detail says why.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}},
}
_SIGN_IN: Final = {
    "description": "The browser's user has to sign in first.",
    "headers": {"Location": {"required": True, "schema": {"type": "string", "format": "uri-reference"}}},
    "content": _DENIED["content"],
}


def describe_security(document: dict[str, Any], auth: AuthSection | None) -> None:
    """Adds to the document who is let in: the security schemes and requirements of the project's `auth`, or of API keys
    where it has none, and for each operation that is not public the answers to those who are not.

    Statuses and details are the project's to choose, so any above 400 is declared.
    """
    given: Mapping[str, Any] = _KEYS if auth is None else auth.openapi or _BEARER
    document["components"]["securitySchemes"] = given.get("securitySchemes", {})
    document["security"] = given.get("security", [])
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if is_public(operation):
                continue
            operation["responses"].setdefault("4XX", _DENIED)
            if "text/html" in operation["responses"].get("200", {}).get("content", {}):
                operation["responses"]["303"] = _SIGN_IN
            required = given.get("paths", {}).get(path, {}).get(method)
            if required:
                operation["security"] = required
