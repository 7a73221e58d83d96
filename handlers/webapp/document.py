"""The document that clients get: that of our operations, with the paths of the project's application where it can tell
them (`openapi()`, as FastAPI has it)."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from runyard.handlers.webapp.routes import FIXED

logger = logging.getLogger(__name__)

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_COMPONENTS: Final = "#/components/"


class DescribedApp(Protocol):
    """An application, of which it is known how it is served."""

    @property
    def app(self) -> Any:
        """The application itself."""

    @property
    def place(self) -> str:
        """Its name in the log."""

    @property
    def authenticates(self) -> bool:
        """Whether its routes ask who makes a request."""


class ServedDocument:
    """The document as JSON, made when it is asked for: an application may add routes at its start, and become another
    one."""

    def __init__(self, document: Mapping[str, Any], told: DescribedApp | None, *, mount_prefix: str = "") -> None:
        """`document`: ours. `told`: None: there is no application. `mount_prefix`: the path below which all is."""
        self._document = {**document, "servers": [{"url": mount_prefix}]} if mount_prefix else document
        self._told = told
        self._encoded: bytes | None = None
        self._of: Any = None

    def __call__(self) -> bytes:
        app = None if self._told is None else self._told.app
        if self._encoded is None or app is not self._of:
            self._encoded, self._of = self._encode(), app
        return self._encoded

    def _encode(self) -> bytes:
        told = self._told
        describe = None if told is None else getattr(told.app, "openapi", None)
        if told is not None and callable(describe):
            try:
                theirs = describe()
                if str(theirs["openapi"]).startswith("3.1."):
                    return orjson.dumps(joined(self._document, theirs, authenticates=told.authenticates))
                logger.warning("%s: its document is of another version than 3.1, and is left out", told.place)
            except Exception as error:  # noqa: BLE001 - it is code of the project
                logger.warning("%s: its document is left out: %s: %s", told.place, type(error).__name__, error)
        return orjson.dumps(self._document)


def joined(ours: Mapping[str, Any], theirs: Mapping[str, Any], *, authenticates: bool) -> dict[str, Any]:
    """Our document with the paths of theirs, and what they refer to. Names that both have are changed in theirs."""
    document = copy.deepcopy(dict(ours))
    theirs = _without_clashes(copy.deepcopy(dict(theirs)), document)
    for kind, members in theirs.get("components", {}).items():
        document.setdefault("components", {}).setdefault(kind, {}).update(members)
    known = {_shape(path): path for path in document["paths"]}
    ids = {
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method in _METHODS and "operationId" in operation
    }
    for path, item in theirs.get("paths", {}).items():
        if path in FIXED or known.get(_shape(path), path) != path:
            continue  # ours; or one of ours whose parameter they name otherwise, of which there can be one only
        shared = item.get("parameters", ())
        into = document["paths"].setdefault(path, {})
        for method, operation in item.items():
            if method not in _METHODS:
                continue
            if shared:
                operation["parameters"] = [*shared, *operation.get("parameters", ())]
            if operation.get("operationId") in ids:
                operation["operationId"] = f"app_{operation['operationId']}"
            if not authenticates:
                operation.setdefault("security", theirs.get("security", []))
            into[method] = operation
    names = {tag["name"] for tag in document.get("tags", ())}
    tags = [tag for tag in theirs.get("tags", ()) if tag["name"] not in names]
    if tags:
        document["tags"] = [*document.get("tags", ()), *tags]
    return document


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _without_clashes(theirs: dict[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Theirs, with other names for components whose names we have for others."""
    renamed: dict[str, str] = {}
    schemes: dict[str, str] = {}
    components = theirs.get("components", {})
    for kind, members in components.items():
        taken = ours.get("components", {}).get(kind, {})
        for name in [name for name, member in members.items() if name in taken and taken[name] != member]:
            new = f"App{name}"
            while new in taken or new in members:
                new = f"{new}_"
            members[new] = members.pop(name)
            renamed[f"{_COMPONENTS}{kind}/{name}"] = f"{_COMPONENTS}{kind}/{new}"
            if kind == "securitySchemes":
                schemes[name] = new
    if renamed:
        _rename(theirs, renamed, schemes)
    return theirs


def _rename(value: Any, renamed: Mapping[str, str], schemes: Mapping[str, str]) -> None:
    if isinstance(value, list):
        for item in value:
            _rename(item, renamed, schemes)
        return
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "$ref" and isinstance(item, str):
            value[key] = renamed.get(item, item)
        elif key == "mapping" and isinstance(item, dict):  # of a discriminator
            value[key] = {name: renamed.get(ref, ref) if isinstance(ref, str) else ref for name, ref in item.items()}
        elif key == "security" and isinstance(item, list):
            value[key] = [
                {schemes.get(name, name): scopes for name, scopes in each.items()} if isinstance(each, dict) else each
                for each in item
            ]
        else:
            _rename(item, renamed, schemes)
