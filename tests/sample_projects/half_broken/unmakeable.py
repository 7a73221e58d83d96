"""A factory that fails, and one that asks for what there is not."""

from __future__ import annotations

from typing import Any


def failing() -> Any:
    raise RuntimeError("the model's server does not answer")


def demanding(user: str) -> Any:
    raise AssertionError("never called")
