"""Letters whatever their case: by a fold of both texts, and by a regular expression, which must say the same."""

from __future__ import annotations

import re

import pytest

from runyard.runtime.storage.sql.letters import folded, whatever_the_case


@pytest.mark.parametrize(
    ("one", "other"),
    [("Run", "rUN"), ("ÄÖÜ", "äöü"), ("ΣΑΣ", "σας"), ("ẞ", "ß"), ("ᾈ", "ᾀ"), ("\u212b", "å"), ("𐐀", "𐐨")],
)
def test_a_letter_is_another_of_another_case(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert re.fullmatch(whatever_the_case(one), other)
    assert re.fullmatch(whatever_the_case(other), one)


@pytest.mark.parametrize(("one", "other"), [("ß", "ss"), ("ä", "a"), ("P", "П"), ("İ", "i"), (".", "x"), ("[a]", "a")])
def test_a_letter_is_no_other_letter_and_no_sign_is_special(one: str, other: str) -> None:
    assert folded(one) != folded(other)
    assert not re.fullmatch(whatever_the_case(one), other)
    assert re.fullmatch(whatever_the_case(one), one)


def test_a_fold_has_as_many_letters_and_is_its_own_fold() -> None:
    for letter in map(chr, range(0x110000)):
        assert len(folded(letter)) == 1
        assert folded(folded(letter)) == folded(letter)
