"""One document of the files under openapi/, with local references only, and validated."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .document import METHODS
from .source import Pointer, SourceError, read_source

SECTIONS = {"responses.yaml": "responses", "parameters.yaml": "parameters", "headers.yaml": "headers"}
"""Where a file's entries go in the bundled document; files under paths/ are put in place of their $ref."""


class Bundler:
    """Turns the files under a folder into one document.

    Every schema, response and parameter that is reached becomes a component under its own name; what nothing
    refers to is left out. What is wrong raises `SourceError`.
    """

    def __init__(self, source: Path) -> None:
        self.root = source / "openapi.yaml"
        self.files: dict[Path, dict[str, Any]] = {}
        self.origins: dict[tuple[str, str], Path] = {}
        """The file of each entry of the document: a component by section and name, a path as `paths` and path."""
        sections = ("schemas", *SECTIONS.values())
        self.components: dict[str, dict[str, Any]] = {section: {} for section in sections}

    def bundle(self) -> dict[str, Any]:
        """The document. Each operation's id is there once."""
        document: dict[str, Any] = self.resolve(self.load(self.root), self.root, ())
        document["components"] = {name: dict(sorted(part.items())) for name, part in self.components.items()}
        self._name_operations(document)
        return document

    def load(self, path: Path) -> dict[str, Any]:
        """A file's content, read once."""
        if path not in self.files:
            self.files[path] = read_source(path)
        return self.files[path]

    def resolve(self, node: Any, path: Path, pointer: Pointer) -> Any:
        """What stands at a place, with its references made local."""
        if isinstance(node, list):
            return [self.resolve(item, path, (*pointer, index)) for index, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        if "$ref" not in node:
            return {key: self.resolve(value, path, (*pointer, key)) for key, value in node.items()}
        if str(node["$ref"]).endswith(".json") and "#" not in node["$ref"]:
            return self._example(node["$ref"], path, (*pointer, "$ref"))
        file, name = self._target(node["$ref"], path, pointer)
        if file.parent.name == "paths":
            self.origins["paths", name] = file
            return self.resolve(self.load(file)[name], file, (name,))
        section = SECTIONS.get(file.name, "schemas")
        origin = self.origins.setdefault((section, name), file)
        if origin != file:
            raise SourceError(file, (name,), f"{name} is among the {section} of {origin.name} already; rename one")
        if name not in self.components[section]:
            self.components[section][name] = {}  # before the descent: schemas may refer to themselves
            self.components[section][name] = self.resolve(self.load(file)[name], file, (name,))
        rest = {key: self.resolve(value, path, (*pointer, key)) for key, value in node.items() if key != "$ref"}
        return {"$ref": f"#/components/{section}/{name}", **rest}

    def _example(self, reference: str, path: Path, place: Pointer) -> dict[str, Any]:
        """What a file under examples/ holds, which takes the place of the reference."""
        try:
            example: dict[str, Any] = json.loads((path.parent / reference).read_text("utf-8"))
        except OSError:
            raise SourceError(path, place, f"{reference} refers to a file that is not there") from None
        except ValueError as error:
            raise SourceError(path, place, f"{reference} is not JSON: {error}") from None
        return example

    def _target(self, reference: Any, path: Path, pointer: Pointer) -> tuple[Path, str]:
        """The file and the entry that a reference names."""
        place = (*pointer, "$ref")
        if not isinstance(reference, str) or "#/" not in reference:
            raise SourceError(path, place, f"{reference!r} is not <file>#/<name>")
        target, _, name = reference.partition("#/")
        file = (path.parent / target).resolve() if target else path
        name = name.replace("~1", "/").replace("~0", "~")
        if not file.is_file():
            raise SourceError(path, place, f"{reference} refers to a file that is not there")
        entries = self.load(file)
        if name not in entries:
            near = difflib.get_close_matches(name, entries, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SourceError(path, place, f"{reference} refers to nothing{hint}")
        return file, name

    def _name_operations(self, document: dict[str, Any]) -> None:
        seen: dict[str, str] = {}
        for path, item in document.get("paths", {}).items():
            for method in METHODS:
                name = item.get(method, {}).get("operationId") if isinstance(item, dict) else None
                if name in seen:
                    raise self.error(("paths", path, method, "operationId"), f"{name} is {seen[name]} already")
                if name is not None:
                    seen[name] = f"{method.upper()} {path}"

    def error(self, pointer: Sequence[Any], message: str) -> SourceError:
        """A complaint about a place of the bundled document, said of the file that it comes from."""
        steps = tuple(pointer)
        if len(steps) >= 3 and steps[0] == "components" and (steps[1], steps[2]) in self.origins:
            return SourceError(self.origins[steps[1], steps[2]], steps[2:], message)
        if len(steps) >= 2 and steps[0] == "paths" and ("paths", steps[1]) in self.origins:
            return SourceError(self.origins["paths", steps[1]], steps[1:], message)
        return SourceError(self.root, steps, message)


def invalid_places(document: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Where a document is not one of OpenAPI 3.1, and why; the schemas first, since they are told more exactly."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from openapi_spec_validator import OpenAPIV31SpecValidator

    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    for place, schema in _schemas(document, ()):
        error = best_match(checker.iter_errors(schema))
        if error is not None:
            yield (*place, *error.absolute_path), error.message
            return
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        inner = error
        while inner.context:
            # Of several ways in which it could have been right, the one that was followed furthest.
            inner = max(inner.context, key=lambda each: len(each.absolute_path))
        yield (*inner.absolute_path,), inner.message.partition("\n")[0]
        return


def _schemas(node: Any, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """All schemas that are no part of another one."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _schemas(item, (*place, index))
    elif isinstance(node, dict):
        for key, value in node.items():
            inner = (*place, key)
            if place == ("components", "schemas") or key == "schema":
                yield inner, value
            elif key not in ("example", "examples"):
                yield from _schemas(value, inner)
