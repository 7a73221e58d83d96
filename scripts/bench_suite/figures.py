"""What the benchmark reports: each figure's name, unit and target, and how the target is judged.

The figures of the official server that stand here were measured on two quiet cores; they count where it is
not measured in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """What to reach. `met` gets Runyard's figure, all its figures, the floor and the official figure.

    It answers None where it cannot say.
    """

    text: str
    met: Callable[[float, Values, float | None, float | None], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table. `official`: the known figure of the official server, if there is one."""

    key: str
    title: str
    unit: str
    scenario: str
    higher: bool = True
    official: float | None = None
    target: Target | None = None


def _times(factor: float) -> Target:
    return Target(
        f">= {factor:g} x official",
        lambda own, values, floor, official: None if official is None else own >= factor * official,
    )


def _of_floor(share: float) -> Target:
    return Target(
        f">= {share:g} of the floor",
        lambda own, values, floor, official: None if floor is None else own >= share * floor,
    )


def _at_most(most: float, unit: str) -> Target:
    return Target(f"<= {most:g} {unit}", lambda own, values, floor, official: own <= most)


def _at_least(least: float, unit: str) -> Target:
    return Target(f">= {least:g} {unit}", lambda own, values, floor, official: own >= least)


def _official_and_a_worker() -> Target:
    return Target(
        "<= official + one worker",
        lambda own, values, floor, official: (
            None if official is None else own <= official + values.get("memory_worker", 0.0)
        ),
    )


def _rate(key: str, title: str, scenario: str, official: float | None = None, target: Target | None = None) -> Figure:
    return Figure(key=key, title=title, unit="/s", scenario=scenario, official=official, target=target)


def _time(
    key: str,
    title: str,
    scenario: str,
    unit: str = "ms",
    official: float | None = None,
    target: Target | None = None,
) -> Figure:
    return Figure(key=key, title=title, unit=unit, scenario=scenario, higher=False, official=official, target=target)


FIGURES = (
    _rate("ok_rate", "GET /ok, 16 connections", "ok", 5_150, _times(2)),
    _rate("accept_1", "accepted runs, batches of 1", "accept"),
    _rate("accept_100", "accepted runs, batches of 100", "accept"),
    _rate("accept_1000", "accepted runs, batches of 1,000", "accept", 933, _times(20)),
    _rate("accept_10000", "accepted runs, batches of 10,000", "accept"),
    _rate("noop_rate", "finished one-node runs", "noop", 315, _times(5)),
    _rate("noop_kept_rate", "  kept (on_completion keep)", "noop"),
    _rate("one_worker_rate", "  with one worker", "one-worker", None, _of_floor(0.75)),
    _rate("one_worker_kept_rate", "  with one worker, kept", "one-worker"),
    _rate("chain_rate", "finished 10-node chains", "chain", 139, _times(3)),
    _rate("sleep_rate", "finished runs that sleep 0.1 s", "sleep", 82, _times(8)),
    _time("wait_1_p50", "/runs/wait, 1 client, p50", "wait", "ms", 1_001, _at_most(10, "ms")),
    _time("wait_1_p99", "  p99", "wait"),
    _rate("wait_32_rate", "/runs/wait, 32 clients", "wait", 186, _times(4)),
    _time("wait_32_p50", "  p50", "wait"),
    _time("wait_32_p99", "  p99", "wait"),
    _time("stream_first", "/runs/stream, first event, p50", "stream", "ms", 665, _at_most(15, "ms")),
    _time("stream_first_own", "  first event of the graph, p50", "stream", "ms", None, _at_most(15, "ms")),
    _rate("stream_events", "events of one stream", "stream", 1_012, _times(10)),
    _rate("stream_tokens", "tokens of one stream (messages-tuple)", "stream"),
    Figure(key="streams_complete", title="streams of 1 s at once, complete", unit="%", scenario="streams",
           target=_at_least(100, "%")),
    _time("streams_first_p50", "  first event of the graph, p50", "streams", "s"),
    _time("streams_first_p99", "  first event of the graph, p99", "streams", "s", 31, _at_most(0.5, "s")),
    _time("streams_seconds", "  until the last has ended", "streams", "s"),
    _time("protocol_first", "thread event protocol, first event, p50", "protocol"),
    _time("protocol_first_times", "  times that of /runs/stream", "protocol", "x", None, _at_most(2, "x")),
    _rate("protocol_events", "  events of one subscription", "protocol"),
    Figure(key="protocol_events_share", title="  share of those of /runs/stream", unit="x", scenario="protocol",
           target=_at_least(0.5, "x")),
    Figure(key="protocol_complete", title="  subscriptions to one thread, complete", unit="%", scenario="protocol",
           target=_at_least(100, "%")),
    _time("protocol_seconds", "  until the last has seen the end of 1 s", "protocol", "s"),
    _time("behind_p50", "/runs/wait behind a large batch, p50", "behind"),
    _time("behind_worst", "  worst", "behind", "ms", None, _at_most(100, "ms")),
    _time("memory_idle", "memory of all processes (PSS), idle", "memory", "MB"),
    _time("memory_runs", "  after the runs", "memory", "MB", 185, _official_and_a_worker()),
    _time("memory_rss", "  after the runs, sum of RSS", "memory", "MB"),
    _time("memory_worker", "  of which the largest worker", "memory", "MB"),
    _time("memory_more", "  after still more runs", "memory", "MB"),
    _time("memory_growth", "  growth by those", "memory", "x", None, _at_most(1.1, "x")),
    Figure(key="search_threads", title="threads to search", unit="threads", scenario="search"),
    _time("search_newest", "  the newest, p50", "search"),
    _time("search_user", "  of one user in a thousand, p50", "search"),
    _time("search_nobody", "  of nobody, p50", "search"),
    _time("search_status", "  of one user, by status and change, p50", "search"),
    _time("search_deep", "  by a value inside an object, p50", "search"),
    _time("search_count", "  count of one user's, p50", "search"),
    Figure(key="crons_idle", title="crons that are not due", unit="crons", scenario="crons"),
    _rate("crons_created", "  created", "crons"),
    _rate("crons_noop_without", "  finished one-node runs before", "crons"),
    _rate("crons_noop_rate", "  finished one-node runs beside them", "crons"),
    Figure(key="crons_due", title="crons that are due at one moment", unit="crons", scenario="crons"),
    _time("crons_made", "  until all runs are made", "crons", "s", None, _at_most(1, "s")),
    _time("crons_ended", "  until all have ended", "crons", "s"),
    Figure(key="store_items", title="items of the store", unit="items", scenario="store"),
    Figure(key="store_put", title="  put", unit="items/s", scenario="store"),
    Figure(key="store_put_indexed", title="  put, with a vector", unit="items/s", scenario="store"),
    _time("store_get", "  get, p50", "store"),
    _time("store_newest", "  search, the newest, p50", "store"),
    _time("store_user", "  search, of one user in a thousand, p50", "store"),
    _time("store_filtered", "  search, by values, p50", "store"),
    _time("store_meaning", "  search, by meaning, p50", "store"),
    _time("store_meaning_user", "  search, by meaning, of one user, p50", "store"),
    _time("store_meaning_filtered", "  search, by meaning and values, p50", "store"),
    _time("store_namespaces", "  namespaces that end with a label, p50", "store"),
    _rate("encrypted_noop_rate", "finished one-node runs, encrypted", "encryption"),
    _rate("encrypted_noop_kept_rate", "  kept (on_completion keep)", "encryption"),
    _rate("encrypted_chain_rate", "finished 10-node chains, encrypted", "encryption"),
    _time("encrypted_wait_1_p50", "/runs/wait, 1 client, p50, encrypted", "encryption"),
    _rate("encrypted_wait_32_rate", "/runs/wait, 32 clients, encrypted", "encryption"),
    _time("empty_p50", "/runs/wait, empty queue, p50", "million"),
    _time("empty_p99", "  p99", "million"),
    _rate("empty_rate", "  8 clients", "million"),
    Figure(key="full_pending", title="queue filled with pending runs", unit="runs", scenario="million"),
    _rate("full_accept_first", "  accepted, first batches of 10,000", "million"),
    _rate("full_accept_last", "  accepted, last batches", "million"),
    _time("full_bytes", "  bytes on disk per run", "million", "B"),
    _time("full_memory", "  memory of all processes", "million", "MB"),
    _time("full_p50", "/runs/wait, full queue, p50", "million"),
    _time("full_p99", "  p99", "million"),
    _rate("full_rate", "  8 clients", "million"),
    _time("full_latency_ratio", "  p50, full against empty", "million", "x", None, _at_most(2, "x")),
    _time("full_claim_ratio", "  8 clients, empty against full", "million", "x", None, _at_most(2, "x")),
    _time("full_behind_worst", "  worst behind a batch", "million", "ms", None, _at_most(100, "ms")),
)  # fmt: skip
