"""The filter of a search of the store, on every backend: what it asks for, one thing after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.sql.conditions import Conditions

MOST_TERMS: Final = 50
"""Things that one filter asks for."""
COMPARISONS: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS: Final = ("$eq", "$ne", *COMPARISONS)


class Term(NamedTuple):
    """A condition with its parameters; it may be null where what it is about is not there."""

    sql: str
    parameters: tuple[Any, ...] = ()


class FilterTerms(ABC):
    """How a backend writes what a filter asks for of the value under some keys."""

    @abstractmethod
    def equal(self, keys: Sequence[str], value: Any) -> Term: ...

    @abstractmethod
    def unequal(self, keys: Sequence[str], value: Any) -> Term: ...

    @abstractmethod
    def is_object(self, keys: Sequence[str]) -> Term: ...

    @abstractmethod
    def compared(self, keys: Sequence[str], comparison: str, value: float | str, place: str) -> Term:
        """Only what is of the value's type can be compared. Raises Invalid, which names the `place`."""


def add_filter(where: Conditions, wanted: Mapping[str, Any] | None, terms: FilterTerms) -> None:
    """The item's value passes the filter, as `SearchItems` says. Raises Invalid."""
    budget = iter(range(MOST_TERMS))
    for name, test in (wanted or {}).items():
        _Tests(where, terms, lambda: next(budget, None) is None, f"filter.{name}").add(name.split("."), test)


class _Tests:
    """What one key of the filter asks for."""

    def __init__(self, where: Conditions, terms: FilterTerms, exhausted: Callable[[], bool], place: str) -> None:
        self._where = where
        self._terms = terms
        self._exhausted = exhausted
        self._place = place

    def add(self, keys: list[str], test: Any) -> None:
        if self._exhausted():
            raise Invalid(f"filter: asks for more than {MOST_TERMS} things; ask for fewer")
        if not isinstance(test, dict):
            self._keep(self._terms.equal(keys, test))
        elif any(name.startswith("$") for name in test):
            for operator, value in test.items():
                self._keep(self._operation(keys, operator, value))
        else:
            self._keep(self._terms.is_object(keys))
            for name, inner in test.items():
                self.add([*keys, name], inner)

    def _keep(self, term: Term) -> None:
        self._where.add(term.sql, *term.parameters)

    def _operation(self, keys: list[str], operator: str, value: Any) -> Term:
        if operator not in _OPERATORS:
            raise Invalid(f"{self._place}: {operator!r} is not known; known are {', '.join(_OPERATORS)}")
        if operator == "$eq":
            return self._terms.equal(keys, value)
        if operator == "$ne":
            return self._terms.unequal(keys, value)
        place = f"{self._place}.{operator}"
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Invalid(f"{place}: must be a number or a text")
        return self._terms.compared(keys, COMPARISONS[operator], value, place)
