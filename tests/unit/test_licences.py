"""scripts/licences: which licences of runtime dependencies pass, and what it says about the others."""

from __future__ import annotations

from email.message import Message
from importlib import metadata
from typing import Any

import pytest

from scripts.release_tools.expressions import canonical, permits
from scripts.release_tools.licences import LIST, Rules, Statement, runtime_statements

RULES = Rules.read(LIST.read_text("utf-8"))
MIT = "License :: OSI Approved :: MIT License"
BSD = "License :: OSI Approved :: BSD License"
GPL = "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"


def stated(name: str = "lake", *classifiers: str, expression: str = "", field: str = "") -> Statement:
    return Statement(name, "1.2", "river", expression, field, classifiers)


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MPL-2.0 AND (GPL-3.0-only OR MIT)", True),
        ("MIT AND GPL-3.0-only OR Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", False),
    ],
)
def test_an_expression_passes_when_allowed_licences_satisfy_it(expression: str, permitted: bool) -> None:
    assert canonical(expression) == expression
    assert permits(expression, RULES.allowed) is permitted


@pytest.mark.parametrize(
    ("statement", "licence"),
    [
        (stated(expression="apache-2.0 or mit"), "Apache-2.0 OR MIT"),
        (stated("lake", GPL, expression="MIT"), "MIT"),
        (stated(field="BSD-3-Clause"), "BSD-3-Clause"),
        (stated(field="MIT license"), "MIT"),
        (stated("lake", MIT), "MIT"),
        (stated("lake", BSD, field="BSD-3-Clause"), "BSD-3-Clause"),
        (stated("lake", MIT, field="MPL-2.0 OR MIT"), "MIT AND (MPL-2.0 OR MIT)"),
        (stated("itsdangerous", BSD), "BSD-3-Clause"),
    ],
)
def test_the_licence_is_read_from_any_generation_of_metadata(statement: Statement, licence: str) -> None:
    assert RULES.licence(statement) == licence
    assert RULES.complaint(statement) is None


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (stated(), "nothing"),
        (stated("lake", BSD), BSD),
        (stated("lake", GPL, field="MIT"), GPL),
        (stated(field="See LICENSE"), "License 'See LICENSE'"),
        (stated(expression="Lake-1.0"), "License-Expression 'Lake-1.0'"),
    ],
)
def test_an_unclear_licence_needs_a_named_entry(statement: Statement, said: str) -> None:
    complaint = RULES.complaint(statement)
    assert complaint is not None
    assert "lake 1.2 (required by river): unclear licence" in complaint
    assert said in complaint
    assert "add [named.lake] with `licence` and `read_in` to scripts/release_tools/licences.toml" in complaint


def test_a_licence_outside_the_list_is_refused_with_the_remedy() -> None:
    complaint = RULES.complaint(stated(expression="GPL-3.0-only"))
    assert complaint is not None
    assert complaint.startswith("lake 1.2 (required by river): GPL-3.0-only is not allowed. Do without")
    assert "[allowed] in scripts/release_tools/licences.toml" in complaint


def test_a_named_entry_does_not_hide_what_an_expression_says() -> None:
    complaint = RULES.complaint(stated("itsdangerous", expression="GPL-3.0-only"))
    assert complaint is not None
    assert "GPL-3.0-only is not allowed" in complaint


def test_an_entry_has_to_say_where_the_licence_was_read() -> None:
    text = "spellings = {}\nclassifiers = {}\nallowed = {}\n[named.lake]\nlicence = 'MIT'\n"
    with pytest.raises(ValueError, match=r"\[named.lake\] needs an SPDX `licence` and `read_in`"):
        Rules.read(text)


class Installed(metadata.Distribution):
    """A distribution with the requirements that it is given."""

    def __init__(self, name: str, *requires: str) -> None:
        self._message = Message()
        self._message["Name"], self._message["Version"] = name, "1"
        for line in requires:
            self._message["Requires-Dist"] = line

    def read_text(self, filename: str) -> str | None:
        return self._message.as_string() if filename == "METADATA" else None

    def locate_file(self, path: object) -> Any:
        raise NotImplementedError


def test_dependencies_of_dependencies_and_of_their_extras_are_looked_at() -> None:
    installed = {
        "yard": Installed("yard", "Lake[deep]>=1", "tool; extra == 'dev'", "win; python_version < '3'"),
        "lake": Installed("lake", "river", "trench; extra == 'deep'", "coast; extra == 'wide'"),
        "river": Installed("river", "lake"),
        "trench": Installed("trench"),
    }
    found = {(one.name, one.required_by) for one in runtime_statements("yard", installed.__getitem__)}
    assert found == {("lake", "yard"), ("river", "lake"), ("trench", "lake")}
