"""pydantic's models become what their own serializers say; the rest has the form that it has outside of models."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pydantic.v1
import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, SecretBytes, SecretStr, field_serializer

from runyard.runtime.graphs.encoding import to_json

WHEN = datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)


class Told(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    when: datetime.datetime = WHEN
    day: datetime.date = WHEN.date()
    price: Decimal = Decimal("2.50")
    weights: list[Decimal] = [Decimal("1.5")]
    data: bytes = b"\xff\xfe"
    url: AnyUrl = AnyUrl("https://example.org/x")
    secrets: list[SecretStr | SecretBytes] = [SecretStr("a"), SecretBytes(b"b"), SecretStr("")]
    inner: Any = None

    @field_serializer("price", when_used="json")
    def in_words(self, price: Decimal) -> str:
        return f"{price} EUR"


class Old(pydantic.v1.BaseModel):
    when: datetime.datetime = WHEN


def shown(value: Any) -> Any:
    return json.loads(to_json(value))


def test_a_models_own_serializers_hold_and_all_else_has_its_usual_form() -> None:
    told = shown(Told(inner={"n": np.float32(0.5), "models": [Told()]}))
    inner = told.pop("inner")
    expected = {
        "when": "2024-01-02T00:00:00+00:00",
        "day": "2024-01-02",
        "price": "2.50 EUR",
        "weights": [1.5],
        "data": "//4=",
        "url": "https://example.org/x",
        "secrets": ["**********", "**********", ""],
    }
    assert told == expected
    assert inner["n"] == 0.5


@pytest.mark.parametrize(
    "value", [WHEN, Decimal("1.5"), datetime.timedelta(seconds=90), b"ab", {1}, np.int64(3), pd.Timestamp(WHEN), 1 + 2j]
)
def test_a_value_has_one_form_in_a_model_and_outside(value: Any) -> None:
    class Holder(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        item: Any

    assert shown(Holder(item=value))["item"] == shown(value)
    assert shown(value) is not None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Old(), {"when": "2024-01-02T00:00:00+00:00"}),
        (AnyUrl("https://example.org"), "https://example.org/"),
        (range(3), [0, 1, 2]),
        (range(10**12), "range(0, 1000000000000)"),
        (pd.NaT, None),
        (pd.NA, None),
        (np.datetime64("NaT"), None),
        (np.timedelta64("NaT"), None),
        (np.array([["2024-01-02", "NaT"]], dtype="M8[D]"), [["2024-01-02", None]]),
        (pd.DataFrame({"tolist": [1]}), {"tolist": {"0": 1}}),
        (datetime.time(1, tzinfo=datetime.UTC), "01:00:00+00:00"),
    ],
)
def test_other_values(value: Any, expected: Any) -> None:
    assert shown(value) == expected
    assert shown({"deep": [value, 2**70]})["deep"][0] == expected
