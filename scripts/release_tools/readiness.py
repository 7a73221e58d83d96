"""Whether the checkout is one that can be released."""

from __future__ import annotations

import re


def version_heading(changelog: str, version: str) -> str | None:
    """The heading of a version's section in CHANGELOG.md, without the marks; None when it has none."""
    found = re.search(rf"^## (\[?{re.escape(version)}\]?(?: .*)?)$", changelog, re.MULTILINE)
    return found[1].strip() if found else None


def objections(version: str, *, changelog: str, changes: str, tag: str | None) -> list[str]:
    """Everything that stands against a release, in words.

    `changes` is what `git status --porcelain` says; `tag` the tag that is published, None for a rehearsal.
    """
    found = []
    if changes:
        found.append(f"the checkout has changes that are not committed:\n{changes.rstrip()}")
    heading = version_heading(changelog, version)
    if heading is None:
        found.append(f"CHANGELOG.md has no section for version {version} of pyproject.toml; begin one: ## {version}")
    elif tag is not None and "unreleased" in heading:
        found.append(f"CHANGELOG.md still says {heading!r}; write the date of the release there")
    if tag is not None and tag != f"v{version}":
        found.append(f"the tag {tag} is not v{version}, the version of pyproject.toml")
    return found


def baseline_objection(released: str, present: str) -> str | None:
    """What stands against publishing a document, `present`, while the kept one of the last release is `released`."""
    if released == present:
        return None
    return (
        "openapi/released.json is not the document of this release; run scripts/release --interface, put what it "
        "prints into CHANGELOG.md and commit"
    )


def baseline_may_move(released: str, present: str, *, changelog: str) -> bool:
    """Whether a document of the version `present` may take the place of the kept one, of `released`, unseen.

    It may while its own version is the first and not released, so that nobody relies on it. Raises ValueError when it
    may not at all: a version without a date must not hide what it breaks since the one before.
    """
    heading = version_heading(changelog, present)
    if heading is not None and "unreleased" not in heading:
        return False
    if released != present:
        raise ValueError(f"the interface is released with its version: write the date beside {present} in CHANGELOG.md")
    return True
