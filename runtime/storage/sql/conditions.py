"""What a search asks for, as a `where` clause. Of metadata, an object must be contained, key by key; everything else
must be equal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from runyard.runtime.scope import Scope, terms


class Conditions(ABC):
    """The `where` clause of a search, put together from what was asked for, as a backend writes it."""

    mark: ClassVar[str]
    """What stands for a parameter."""

    def __init__(self, *fixed: str) -> None:
        self._terms = list(fixed)
        self.parameters: list[Any] = []

    def add(self, term: str, *parameters: Any) -> None:
        self._terms.append(term)
        self.parameters += parameters

    def equal(self, column: str, value: Any) -> None:
        """`value` None: no condition."""
        if value is not None:
            self.add(f"{column} = {self.mark}", value)

    @staticmethod
    @abstractmethod
    def array(values: Sequence[str]) -> Any:
        """Texts as one parameter."""

    @abstractmethod
    def like(self, column: str, part: str) -> None:
        """The column contains the text, whatever the case."""

    @abstractmethod
    def among(self, column: str, values: Sequence[str] | None) -> None:
        """The column has one of the values; None: no condition."""

    @abstractmethod
    def containing(self, column: str, wanted: Mapping[str, Any] | None) -> None:
        """The column, which has JSON, contains `wanted`; None or nothing: no condition."""

    @abstractmethod
    def excluding(self, column: str, unwanted: Mapping[str, Any] | None) -> None:
        """The column, which has JSON, does not contain all of `unwanted`; None or nothing: no condition."""

    @abstractmethod
    def listing(self, column: str, key: str, wanted: Any) -> None:
        """The column, which has JSON, has under the key a list with the wanted item, or with all of a list of them."""

    def within(self, scope: Scope, column: str, always: str | None = None) -> None:
        """The metadata in the column is what the scope's filter asks for, or the condition `always` holds."""
        if not scope.filter:
            return
        wanted = type(self)()
        for key, operator, value in terms(scope.filter):
            if operator == "$eq":
                wanted.containing(column, {key: value})
            elif operator == "$contains":
                wanted.listing(column, key, value)
            else:
                raise ValueError(f"a filter of metadata knows $eq and $contains, not {operator}")
        self.add(wanted.together if always is None else f"({always} or ({wanted.together}))", *wanted.parameters)

    def page(self, limit: int, offset: int = 0) -> str:
        """The clause that goes behind the order; to be written once, for it adds its parameters to those of the
        conditions."""
        self.parameters += (limit, offset)
        return f"limit {self.mark} offset {self.mark}"

    @property
    def together(self) -> str:
        """All of them; there must be some."""
        return " and ".join(self._terms)

    def __str__(self) -> str:
        return f"where {self.together}" if self._terms else ""
