"""How two schemas differ, and on which side of the interface each difference breaks clients.

Where both refer to a component of the same name, the components are compared once, by themselves, instead of at
every place: their names are collected in `found`. That also bounds the recursion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .changes import Change, Side, Subject
from .document import Document, Schema, component_of
from .shapes import ANNOTATIONS, LOWER, UPPER, Alternative, alternatives

_HANDLED = frozenset((*LOWER, *UPPER, "enum", "items", "additionalProperties", "required"))
_MISSING = object()
_TWINS = "x-camel-case-twins"  # names that are taken too


class SchemaDiff:
    """Compares schemas of an old document with those of a new one."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old = old
        self.new = new
        self.found: set[str] = set()
        self._under_way: list[tuple[str, str | None, str | None]] = []

    def component(self, name: str) -> list[Change]:
        """The changes of a component that both documents have."""
        reference = f"#/components/schemas/{name}"
        old, new = self.old.target(reference), self.new.target(reference)
        changes = [*self._described(old, new, ""), *self._values(old, new, "")]
        return [*dict.fromkeys(changes)]

    def changes(self, old: Any, new: Any, place: str = "") -> list[Change]:
        """The changes from one schema to the other; a missing one is `{}`."""
        old, new = ({} if schema in (None, True) else schema for schema in (old, new))
        described = list(self._described(old, new, place))
        name = component_of(old)
        if name is not None and name == component_of(new):
            self.found.add(name)
            beside = [{key for key in schema if key not in ANNOTATIONS and key != "$ref"} for schema in (old, new)]
            if not any(beside):
                return described
        with self._entered("schemas", component_of(old), component_of(new)) as first:
            return [*dict.fromkeys([*described, *(self._values(old, new, place) if first else ())])]

    def _described(self, old: Any, new: Any, place: str) -> Iterator[Change]:
        """Changes of what a schema says about its values: the default, and that it is deprecated."""
        if old is False or new is False:
            return
        before, now = _default(self.old, old, new), _default(self.new, new, old)
        if before is not _MISSING and (type(before), before) != (type(now), now):
            kind = "default removed" if now is _MISSING else "default changed"
            detail = f"{before!r}" if now is _MISSING else f"{before!r}, now {now!r}"
            yield Change(Subject.DEFAULT, place, kind, Side.REQUEST, detail)
        elif before is _MISSING and now is not _MISSING:
            yield Change(Subject.DEFAULT, place, "default added", Side.NEITHER, f"{now!r}")
        if old.get(_TWINS) and not new.get(_TWINS):
            yield Change(Subject.OTHER, place, f"{_TWINS} removed", Side.REQUEST)
        if new.get("deprecated") and not old.get("deprecated"):
            yield Change(Subject.DEPRECATION, place, "deprecated", Side.NEITHER)

    def _values(self, old: Any, new: Any, place: str) -> Iterator[Change]:
        before, now = alternatives(self.old, old), alternatives(self.new, new)
        removed = sorted({each.type for each in before} - {each.type for each in now})
        added = sorted({each.type for each in now} - {each.type for each in before})
        if removed:
            yield Change(Subject.TYPE, place, f"{_list(removed)} no longer a type", Side.REQUEST)
        if added:
            yield Change(Subject.TYPE, place, f"{_list(added)} added as a type", Side.ANSWER)
        for name in sorted({each.type for each in before} & {each.type for each in now}):
            olds, news = ([each for each in group if each.type == name] for group in (before, now))
            yield from self._of_one_type(olds, news, place)

    def _of_one_type(self, olds: Sequence[Alternative], news: Sequence[Alternative], place: str) -> Iterator[Change]:
        if len(olds) == len(news) == 1:
            yield from self._alternative(olds[0], news[0], place)
            return
        # Each old alternative needs a new one that takes all of it, and the other way round.
        table = {(a, b): self._alternative(olds[a], news[b], place) for a in range(len(olds)) for b in range(len(news))}
        for side, rows in (
            (Side.REQUEST, [[table[a, b] for b in range(len(news))] for a in range(len(olds))]),
            (Side.ANSWER, [[table[a, b] for a in range(len(olds))] for b in range(len(news))]),
        ):
            for candidates in rows:
                breaking = [[each for each in changes if each.breaks & side] for changes in candidates]
                yield from (replace(each, breaks=each.breaks & side) for each in min(breaking, key=len))

    def _alternative(self, old: Alternative, new: Alternative, place: str) -> list[Change]:
        if old.component is not None and old.component == new.component:
            self.found.add(old.component)
            return []
        with self._entered("alternatives", old.component, new.component) as first:
            return [*self._keywords(old, new, place), *self._fields(old, new, place)] if first else []

    @contextmanager
    def _entered(self, what: str, old: str | None, new: str | None) -> Iterator[bool]:
        """False when the same two are being compared further up: what refers to itself differs no more than that."""
        pair = (what, old, new)
        first = (old, new) == (None, None) or pair not in self._under_way
        self._under_way.append(pair)
        yield first
        self._under_way.pop()

    def _keywords(self, old: Alternative, new: Alternative, place: str) -> Iterator[Change]:
        if old.integral != new.integral:
            kind, side = ("only whole numbers", Side.REQUEST) if new.integral else ("fractions too", Side.ANSWER)
            yield Change(Subject.TYPE, place, kind, side)
        yield from _enum(old.keywords.get("enum"), new.keywords.get("enum"), place)
        for key in (*LOWER, *UPPER):
            yield from _bound(key, old.keywords.get(key), new.keywords.get(key), place)
        for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
            if key in old.keywords or key in new.keywords:
                before, now = (each.keywords.get(key, True) for each in (old, new))
                if False not in (before, now):
                    yield from self.changes(before, now, place + suffix)
                elif before != now:
                    side = Side.REQUEST if now is False else Side.ANSWER
                    yield Change(Subject.TYPE, place + suffix, "refused" if now is False else "allowed", side)
        for key in sorted((old.keywords.keys() | new.keywords.keys()) - _HANDLED):
            yield from _other(key, old.keywords.get(key, _MISSING), new.keywords.get(key, _MISSING), place)

    def _fields(self, old: Alternative, new: Alternative, place: str) -> Iterator[Change]:
        for name in sorted(old.fields.keys() | new.fields.keys()):
            before, now = old.fields.get(name), new.fields.get(name)
            owners = {each.owner for each in (before, now) if each is not None}
            # Said by one component that is extended: it is told there, once.
            owner = owners.pop() if len(owners) == 1 else None
            inner = f"{place}.{name}" if place and owner is None else name
            required = name in new.required
            if before is None:
                kind, side = ("required field added", Side.REQUEST) if required else ("field added", Side.NEITHER)
                yield Change(Subject.FIELD, inner, kind, side, "", owner)
                continue
            if now is None:
                announced = isinstance(before.schema, dict) and before.schema.get("deprecated") is True
                yield Change(Subject.FIELD, inner, "field removed", Side.BOTH, "", owner, True, not announced)
                continue
            found = self.changes(before.schema, now.schema, inner)
            if required != (name in old.required):
                kind, side = ("now required", Side.REQUEST) if required else ("no longer required", Side.ANSWER)
                found.append(Change(Subject.REQUIRED, inner, kind, side))
            yield from (replace(each, owner=owner) if owner and each.owner is None else each for each in found)
        for name in sorted((old.required ^ new.required) - old.fields.keys() - new.fields.keys()):
            kind, side = ("now required", Side.REQUEST) if name in new.required else ("no longer required", Side.ANSWER)
            yield Change(Subject.REQUIRED, f"{place}.{name}" if place else name, kind, side)


def _default(document: Document, schema: Schema, other: Schema) -> Any:
    """The default of a schema; that of the component that both refer to is the component's own matter."""
    if component_of(schema) == component_of(other):
        return schema.get("default", _MISSING)
    return document.follow(schema).get("default", _MISSING)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _enum(old: list[Any] | None, new: list[Any] | None, place: str) -> Iterator[Change]:
    if old is None and new is not None:
        yield Change(Subject.ENUM, place, "only listed values", Side.REQUEST, _list([*map(repr, new)]))
    elif old is not None and new is None:
        yield Change(Subject.ENUM, place, "any value", Side.ANSWER)
    elif old is not None and new is not None:
        for value in old:
            if value not in new:
                yield Change(Subject.ENUM, place, f"value {value!r} removed", Side.REQUEST)
        for value in new:
            if value not in old:
                yield Change(Subject.ENUM, place, f"value {value!r} added", Side.ANSWER)


def _bound(key: str, old: Any, new: Any, place: str) -> Iterator[Change]:
    if old == new:
        return
    if old is None or new is None:
        tighter, kind = old is None, f"{key} added" if old is None else f"{key} removed"
    else:
        tighter, kind = (new > old) == (key in LOWER), f"{key} raised" if new > old else f"{key} lowered"
    detail = " to ".join(f"{each}" for each in (old, new) if each is not None)
    yield Change(Subject.BOUND, place, kind, Side.REQUEST if tighter else Side.ANSWER, detail)


def _other(key: str, old: Any, new: Any, place: str) -> Iterator[Change]:
    """A keyword of which no more is known than that it restricts: formats, patterns, and what is rare."""
    subject = Subject.FORMAT if key in ("format", "pattern") else Subject.OTHER
    if key == "uniqueItems":
        old, new = (True if each is True else _MISSING for each in (old, new))
    if old is _MISSING and new is not _MISSING:
        yield Change(subject, place, f"{key} added", Side.REQUEST, f"{new!r}")
    elif new is _MISSING and old is not _MISSING:
        yield Change(subject, place, f"{key} removed", Side.ANSWER, f"{old!r}")
    elif old != new:
        yield Change(subject, place, f"{key} changed", Side.BOTH, f"{old!r}, now {new!r}")
