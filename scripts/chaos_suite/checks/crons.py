"""Runs that crons have made, held against the moments at which they were due."""

from __future__ import annotations

from collections import Counter

from scripts.chaos_suite.stories import CronStory, Evidence, Finding


def exactly_once(evidence: Evidence) -> list[Finding]:
    """Each moment has made one run. Not asked where the clock was made to jump: crons go by the time of day."""
    if any(fault.name == "clock" for fault in evidence.faults):
        return []
    return [
        Finding(kind="cron", text=f"cron {cron.cron_id} {cron.tag}: {text}")
        for cron in evidence.crons
        if cron.made is not None
        for text in _wrong(cron, cron.made)
    ]


def _wrong(cron: CronStory, made: list[tuple[int, str | None]]) -> list[str]:
    found = []
    moments = Counter(due for due, _ in made)
    if missing := [due - cron.first for due in range(cron.first, cron.last + 1) if not moments[due]]:
        found.append(f"no run was made {', '.join(map(str, missing))} s after the first")
    if others := [due - cron.first for due in moments if not cron.first <= due <= cron.last]:
        found.append(f"a run was made {', '.join(map(str, others))} s after the first, when it was not due")
    noted = {run_id for _, run_id in made}
    if unnoted := [run_id for run_id in cron.runs if run_id not in noted]:
        found.append(f"runs that belong to no moment: {', '.join(unnoted)}")
    if lost := noted - {*cron.runs}:
        found.append(f"{len(lost)} of its moments have no run that is there")
    return found
