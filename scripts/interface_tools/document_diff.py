"""How two documents differ: operations, parameters, bodies, answers, and the components that they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .changes import Change, Finding, Side, Subject, finding
from .document import Document
from .schema_diff import SchemaDiff

Node = Mapping[str, Any]

_SIDES = {Side.REQUEST: "request", Side.ANSWER: "answer"}
_NAMES = ("operationId", "x-sdk-name")  # what generated clients call an operation
_ITEMS = ("itemSchema", "x-runyard-item-schema")  # what describes one event of a stream
_READING = ("style", "explode", "allowReserved", "content")  # how a parameter's text becomes a value


def compare(old: Document, new: Document) -> list[Finding]:
    """All differences, sorted by their keys."""
    return sorted(set(_Comparison(old, new).findings()), key=lambda each: each.key)


class _Comparison:
    def __init__(self, old: Document, new: Document) -> None:
        self.old = old
        self.new = new
        self.schemas = SchemaDiff(old, new)
        self.pending: list[tuple[str, Side]] = []

    def findings(self) -> Iterator[Finding]:
        before, now = self.old.operations(), self.new.operations()
        for name in before.keys() | now.keys():
            if name not in now:
                announced = before[name].get("deprecated") is True
                yield _at(name, Subject.OPERATION, "removed", Side.BOTH, removes=True, unannounced=not announced)
            elif name not in before:
                yield _at(name, Subject.OPERATION, "added")
            else:
                yield from self._operation(name, before[name], now[name])
        seen: set[tuple[str, Side]] = set()
        while self.pending:
            component, side = self.pending.pop()
            if (component, side) not in seen:
                seen.add((component, side))
                self.schemas.found.clear()
                changes = self.schemas.component(component)
                yield from self._told(f"{component} ({_SIDES[side]})", changes, side)

    def _told(self, where: str, changes: list[Change], side: Side) -> Iterator[Finding]:
        self.pending += ((name, side) for name in self.schemas.found)
        for change in changes:
            yield finding(f"{change.owner} ({_SIDES[side]})" if change.owner else where, change, side)

    def _schema(self, where: str, old: Any, new: Any, side: Side) -> Iterator[Finding]:
        self.schemas.found.clear()
        yield from self._told(where, self.schemas.changes(old, new), side)

    def _operation(self, name: str, old: Node, new: Node) -> Iterator[Finding]:
        for key in _NAMES:
            if key in old and old[key] != new.get(key):
                detail = f"{old[key]}, now {new.get(key)}"
                yield _at(name, Subject.OPERATION, f"{key} changed", Side.BOTH, detail)
        if new.get("deprecated") and not old.get("deprecated"):
            yield _at(name, Subject.DEPRECATION, "deprecated")
        before, now = (
            definition.get("security", document.content.get("security", []))
            for definition, document in ((old, self.old), (new, self.new))
        )
        if before != now:
            # Requests that were let in may now be refused, unless none has to say who it comes from.
            side = Side.REQUEST if now and {} not in now else Side.NEITHER
            yield _at(name, Subject.OTHER, "security changed", side)
        yield from self._parameters(name, self.old.parameters(old), self.new.parameters(new))
        yield from self._body(f"{name}: body", old.get("requestBody"), new.get("requestBody"))
        yield from self._answers(name, old.get("responses", {}), new.get("responses", {}))

    def _parameters(self, name: str, old: Mapping[str, Node], new: Mapping[str, Node]) -> Iterator[Finding]:
        for key in old.keys() | new.keys():
            where = f"{name}: {key}"
            if key not in new:
                announced = old[key].get("deprecated") is True
                kind = "parameter removed"
                yield _at(where, Subject.PARAMETER, kind, Side.BOTH, removes=True, unannounced=not announced)
                continue
            needed = new[key].get("required", False)
            if key not in old:
                kind, side = ("required parameter", Side.REQUEST) if needed else ("parameter", Side.NEITHER)
                yield _at(where, Subject.PARAMETER, f"{kind} added", side)
                continue
            yield from _requirement(where, old[key], new[key], Side.REQUEST)
            if new[key].get("deprecated") and not old[key].get("deprecated"):
                yield _at(where, Subject.DEPRECATION, "deprecated")
            for way in _READING:
                if old[key].get(way) != new[key].get(way):
                    yield _at(where, Subject.OTHER, f"{way} changed", Side.REQUEST)
            yield from self._schema(where, old[key].get("schema"), new[key].get("schema"), Side.REQUEST)

    def _body(self, where: str, old: Node | None, new: Node | None) -> Iterator[Finding]:
        if old is None or new is None:
            if new is not None:
                needed = self.new.follow(new).get("required", False)
                yield _at(where, Subject.REQUIRED, "added", Side.REQUEST if needed else Side.NEITHER)
            elif old is not None:
                yield _at(where, Subject.REQUIRED, "removed", Side.BOTH)
            return
        old, new = self.old.follow(old), self.new.follow(new)
        yield from _requirement(where, old, new, Side.REQUEST)
        yield from self._content(where, old.get("content", {}), new.get("content", {}), Side.REQUEST, success=True)

    def _answers(self, name: str, old: Node, new: Node) -> Iterator[Finding]:
        for status in {str(each) for each in (*old, *new)}:
            where, success = f"{name}: {status}", status[0] in "123"
            if status not in old or status not in new:
                # Clients have to expect errors; those that they did not know are no break.
                kind = "status added" if status in new else "status removed"
                yield _at(where, Subject.STATUS, kind, Side.ANSWER if success else Side.NEITHER)
                continue
            before, now = self.old.follow(old[status]), self.new.follow(new[status])
            yield from self._headers(where, before.get("headers", {}), now.get("headers", {}))
            contents = (before.get("content", {}), now.get("content", {}))
            yield from self._content(where, *contents, Side.ANSWER, success=success)

    def _headers(self, where: str, old: Node, new: Node) -> Iterator[Finding]:
        before, now = ({key.lower(): value for key, value in headers.items()} for headers in (old, new))
        for key in before.keys() | now.keys():
            place = f"{where}: header {key}"
            if key not in now:
                yield _at(place, Subject.HEADER, "removed", Side.ANSWER)
            elif key not in before:
                yield _at(place, Subject.HEADER, "added")
            else:
                first, second = self.old.follow(before[key]), self.new.follow(now[key])
                yield from _requirement(place, first, second, Side.ANSWER)
                yield from self._schema(place, first.get("schema"), second.get("schema"), Side.ANSWER)

    def _content(self, where: str, old: Node, new: Node, side: Side, *, success: bool) -> Iterator[Finding]:
        for media in old.keys() | new.keys():
            place = f"{where}: {media}"
            if media not in new:
                yield _at(place, Subject.MEDIA_TYPE, "media type removed", Side.BOTH)
            elif media not in old:
                # A client that read the one kind of answer may now get another.
                breaks = Side.ANSWER if old and success and side is Side.ANSWER else Side.NEITHER
                yield _at(place, Subject.MEDIA_TYPE, "media type added", breaks)
            else:
                yield from self._schema(place, old[media].get("schema"), new[media].get("schema"), side)
                yield from self._items(f"{place}: event", old[media], new[media], side)

    def _items(self, where: str, old: Node, new: Node, side: Side) -> Iterator[Finding]:
        before, now = (next((media[key] for key in _ITEMS if key in media), None) for media in (old, new))
        if before is not None and now is not None:
            yield from self._schema(where, before, now, side)
        elif before != now:
            kind, breaks = ("described", Side.NEITHER) if before is None else ("no longer described", Side.BOTH)
            yield _at(where, Subject.TYPE, kind, breaks)


def _requirement(where: str, old: Node, new: Node, side: Side) -> Iterator[Finding]:
    before, now = old.get("required", False), new.get("required", False)
    if before != now:
        breaks = Side.REQUEST if now else Side.ANSWER
        yield _at(where, Subject.REQUIRED, "now required" if now else "no longer required", breaks & side)


def _at(
    where: str,
    subject: Subject,
    kind: str,
    breaks: Side = Side.NEITHER,
    detail: str = "",
    *,
    removes: bool = False,
    unannounced: bool = False,
) -> Finding:
    return Finding(f"{where}: {kind}", bool(breaks), subject, detail, removes, unannounced)
