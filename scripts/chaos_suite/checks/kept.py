"""What was stored for good: items of the store, and the events of threads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from scripts.chaos_suite.stories import Evidence, Finding, ToldStory
from scripts.chaos_suite.telling import is_end


def items(evidence: Evidence) -> list[Finding]:
    """An item has the version that its client was last told was stored, or one of which nobody knows whether and when
    it was."""
    findings = []
    for item in evidence.items:
        possible = {version for version in (*item.unknown, item.kept) if version is not None}
        if item.found is None or (possible.issuperset(item.found) and (item.found or item.kept is None)):
            continue
        text = f"{item.key} is stored as {item.found or 'nothing'}, of the possible versions {sorted(possible)}"
        findings.append(Finding(kind="store", text=text))
    return findings


def told(evidence: Evidence) -> list[Finding]:
    """The events of a thread are whole, in the order of their numbers, and the same for whoever reads them when."""
    return [
        Finding(kind="events", text=text, thread_id=story.thread_id)
        for story in evidence.told
        for text in [_wrong(story, evidence)]
        if text is not None
    ]


def _wrong(story: ToldStory, evidence: Evidence) -> str | None:
    replayed = story.replayed
    thread = evidence.threads.get(story.thread_id)
    if replayed is None or thread is None or thread.uncertain:
        return None
    for before, after in pairwise(event["seq"] for event in replayed):
        if after <= before:
            return f"event {after} came after event {before}"
    runs = [run for run in evidence.runs if run.run_id in story.runs]
    if any(run.found is None or run.found.status != "success" for run in runs):
        return None  # judged elsewhere
    customs = [_payload(event) for event in replayed if event["method"] == "custom"]
    for run in runs:
        missing = [entry for entry in run.expected if entry not in customs]
        if missing:
            return f"of {run.tag} there is no custom event {', '.join(missing)}"
    if (ends := sum(map(is_end, replayed))) != len(runs):
        return f"{ends} ends of {len(runs)} runs were told"
    if not story.live:
        return None
    first, last = story.live[0]["seq"], story.live[-1]["seq"]
    if story.live != [event for event in replayed if first <= event["seq"] <= last]:
        return f"between {first} and {last} others were told than the client that followed was"
    return None


def _payload(event: dict[str, Any]) -> Any:
    data = event["params"]["data"]
    return data.get("payload", data) if isinstance(data, dict) else data
