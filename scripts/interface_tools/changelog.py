"""The changelog's section on the interface, from the differences to the last release."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .changes import Finding, Subject

_NEW = {Subject.OPERATION, Subject.PARAMETER, Subject.FIELD, Subject.HEADER, Subject.STATUS, Subject.MEDIA_TYPE}


def _heading(finding: Finding) -> str:
    if finding.breaks:
        return "Breaks clients"
    if finding.subject is Subject.DEPRECATION:
        return "Deprecated"
    return "New" if finding.subject in _NEW and finding.key.endswith("added") else "Changed"


def interface_section(findings: Sequence[Finding]) -> str:
    """The section as Markdown: what breaks first, then what is deprecated, new and changed."""
    lines = ["### Interface", ""]
    for heading in ("Breaks clients", "Deprecated", "New", "Changed"):
        for finding in findings:
            if _heading(finding) == heading:
                text = f"- {heading}: `{finding.key}`" + (f" ({finding.detail})" if finding.detail else "")
                lines += textwrap.wrap(
                    text, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
                )
    return "\n".join([*lines, *([] if findings else ["No changes."])]) + "\n"
