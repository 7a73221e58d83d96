"""Which errors are worth another try."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from langgraph.errors import GraphRecursionError, InvalidUpdateError

from runyard.runtime.execution.retries import is_worth_another_try
from runyard.runtime.storage.port.retries import RetryPolicy

DEFAULT = RetryPolicy(tries=2)


class Busy(Exception):
    """As a library's own error, which LangGraph knows nothing of."""


class VeryBusy(Busy):
    """More special."""


class Answered(Exception):
    """As the errors of model providers' clients, which know the status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status_code = status


class Broken(Exception):
    """Does not even let itself be looked at."""

    @property
    def status_code(self) -> int:
        raise RuntimeError("no status")


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://model.test")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        Busy(),
        Answered(429),
        Answered(503),
        answered(429),
        answered(500),
        ExceptionGroup("two", [Busy(), ValueError()]),
    ],
    ids=repr,
)
def test_what_may_be_over_a_little_later_is_likely_to_pass(error: BaseException) -> None:
    assert is_worth_another_try(DEFAULT, error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        TypeError(),
        KeyError(),
        FileNotFoundError(),
        Answered(400),
        Answered(401),
        answered(404),
        GraphRecursionError(),
        InvalidUpdateError(),
        SystemExit(1),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        ExceptionGroup("two", [ValueError(), Busy()]),
        Broken(),
    ],
    ids=repr,
)
def test_what_would_come_again_is_not(error: BaseException) -> None:
    assert not is_worth_another_try(DEFAULT, error)


def test_an_error_whose_response_says_nothing_is_judged_by_its_class() -> None:
    error = Busy()
    error.response = SimpleNamespace(status_code="no number")  # type: ignore[attr-defined]
    assert is_worth_another_try(DEFAULT, error)


@pytest.mark.parametrize("name", ["Busy", f"{__name__}.Busy", "VeryBusy", "Exception"])
def test_classes_are_named_with_or_without_their_module_and_stand_for_their_subclasses(name: str) -> None:
    policy = RetryPolicy(tries=2, errors=("Other", name))
    assert is_worth_another_try(policy, VeryBusy())


@pytest.mark.parametrize("name", ["Bus", "busy", "other.Busy", "Exceptions"])
def test_other_names_name_other_classes(name: str) -> None:
    assert not is_worth_another_try(RetryPolicy(tries=2, errors=(name,)), VeryBusy())


def test_named_classes_replace_what_is_likely_to_pass() -> None:
    assert is_worth_another_try(RetryPolicy(tries=2, errors=("ValueError",)), ValueError())
    assert not is_worth_another_try(RetryPolicy(tries=2, errors=("ValueError",)), TimeoutError())
    assert is_worth_another_try(RetryPolicy(tries=2), TimeoutError())
