"""scripts/release: which checkouts it refuses, and with what words."""

from __future__ import annotations

import pytest

from scripts.release_tools.readiness import baseline_may_move, baseline_objection, objections

CHANGELOG = "# Changelog\n\n## 0.2.0 (unreleased)\n\nNew.\n\n## 0.1.0 (2026-11-02)\n\nThe first.\n"


def test_a_clean_checkout_of_a_version_with_a_dated_section_is_released() -> None:
    assert objections("0.1.0", changelog=CHANGELOG, changes="", tag="v0.1.0") == []


def test_a_rehearsal_needs_no_date_yet() -> None:
    assert objections("0.2.0", changelog=CHANGELOG, changes="", tag=None) == []
    (objection,) = objections("0.2.0", changelog=CHANGELOG, changes="", tag="v0.2.0")
    assert "'0.2.0 (unreleased)'" in objection


def test_changes_that_are_not_committed_are_refused_and_named() -> None:
    (objection,) = objections("0.1.0", changelog=CHANGELOG, changes=" M README.md\n?? new.py\n", tag=None)
    assert objection.endswith(":\n M README.md\n?? new.py")


def test_a_version_without_a_section_of_its_own_is_refused() -> None:
    for version in ("0.1", "0.1.0rc1", "0x1.0", "0.3.0"):
        (objection,) = objections(version, changelog=CHANGELOG, changes="", tag=None)
        assert f"no section for version {version}" in objection


def test_a_tag_has_to_name_the_version_and_all_objections_come_at_once() -> None:
    found = objections("0.3.0", changelog=CHANGELOG, changes="?? new.py", tag="v0.1.0")
    assert len(found) == 3
    assert found[-1] == "the tag v0.1.0 is not v0.3.0, the version of pyproject.toml"


def test_versions_in_brackets_are_found_too() -> None:
    changelog = "## [0.2.0] - unreleased\n"
    assert objections("0.2.0", changelog=changelog, changes="", tag=None) == []
    (objection,) = objections("0.2.0", changelog=changelog, changes="", tag="v0.2.0")
    assert "'[0.2.0] - unreleased'" in objection


def test_a_release_whose_document_is_not_kept_for_later_comparisons_is_refused() -> None:
    assert baseline_objection("{}", "{}") is None
    objection = baseline_objection("{}", "[]")
    assert objection is not None
    assert "run scripts/release --interface" in objection


def test_until_the_first_release_the_kept_document_may_move_unseen_and_later_only_with_a_date() -> None:
    assert baseline_may_move("0.2.0", "0.2.0", changelog=CHANGELOG)
    assert not baseline_may_move("0.1.0", "0.1.0", changelog=CHANGELOG)
    assert not baseline_may_move("0.0.9", "0.1.0", changelog=CHANGELOG)
    with pytest.raises(ValueError, match=r"write the date beside 0\.2\.0"):
        baseline_may_move("0.1.0", "0.2.0", changelog=CHANGELOG)
