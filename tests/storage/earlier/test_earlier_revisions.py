"""Data directories that earlier revisions wrote, each killed in the middle of its work: they are opened and migrated,
and their runs are brought to the ends that they would have had."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError

from tests.live_server import StartServer, poll
from tests.webhook_listener import WebhookListener

from .expected import PROJECT, WORKERS, Expected, holds, load, revisions, settings
from .revived import Revived, revived, unpacked

DATABASE = "runyard.db"


@pytest.fixture(scope="module", params=revisions())
def expected(request: pytest.FixtureRequest) -> Expected:
    return load(request.param)


@pytest.fixture(scope="module")
def it(expected: Expected, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Revived]:
    """The directory exactly as the earlier revision left it."""
    with unpacked(expected, tmp_path_factory.mktemp("revived")) as server, revived(expected, server) as it:
        yield it


def test_every_accepted_run_reaches_its_end(it: Revived) -> None:
    for run in it.expected["accepted"]:
        assert holds(it.join(run), run["answer"]), run["what"]


def test_the_ends_are_those_that_the_runs_were_to_have(it: Revived) -> None:
    found = {run["what"]: it.find(run)["status"] for run in it.expected["accepted"] if not run["temporary"]}
    assert found == {run["what"]: run["status"] for run in it.expected["accepted"] if not run["temporary"]}


def test_threads_hold_every_step_once_and_in_order(it: Revived) -> None:
    for thread in it.expected["threads"]:
        found = it.thread(thread["thread_id"])
        assert (found["values"], found["status"]) == (thread["values"], "idle")
        assert it.values(thread["thread_id"]) == thread["values"]


def test_runs_that_end_before_they_are_done_leave_what_they_have_reached(it: Revived) -> None:
    for thread in it.expected["reached"]:
        assert it.values(thread["thread_id"]) == thread["values"]
        assert it.thread(thread["thread_id"])["status"] in ("error", "idle", "interrupted")


def test_a_run_that_was_to_be_rolled_back_is_removed(it: Revived) -> None:
    for run in it.expected["removed"]:
        with pytest.raises(NotFoundError):
            it.client.runs.get(run["thread_id"], run["run_id"])


def test_a_run_that_is_due_in_years_goes_on_waiting(it: Revived) -> None:
    assert [it.find(run)["status"] for run in it.expected["pending"]] == ["pending"]
    assert it.server.metrics()["queue"]["delayed"] == 1


def test_what_had_ended_reads_as_before(it: Revived) -> None:
    assert_unchanged(it)


def assert_unchanged(it: Revived) -> None:
    """The runs that had ended, their threads and the histories of these."""
    for run in it.expected["ended_runs"]:
        assert holds(it.find(run), run)
    for thread in it.expected["settled_threads"]:
        assert holds(it.thread(thread["thread_id"]), thread)
    for thread_id, states in it.expected["histories"].items():
        assert holds(it.client.threads.get_history(thread_id, limit=100), states)


def test_all_ends_were_left(expected: Expected) -> None:
    """So that the archive shows that each of them reads as before."""
    assert {run["status"] for run in expected["ended_runs"]} == {"success", "error", "interrupted"}
    assert {thread["status"] for thread in expected["settled_threads"]} == {"idle", "error", "interrupted"}


def test_a_thread_that_was_interrupted_can_be_resumed(it: Revived) -> None:
    paused = it.expected["paused"]
    thread = it.thread(paused["thread_id"])
    assert thread["status"] == "interrupted"
    ((interrupt,),) = thread["interrupts"].values()
    assert interrupt["value"] == {"question": "Go on?"}

    answer = it.client.runs.wait(paused["thread_id"], "asking", command={"resume": paused["resume"]})
    assert answer == paused["values"]
    assert it.thread(paused["thread_id"])["status"] == "idle"


def test_the_events_of_resumable_runs_are_replayed(it: Revived) -> None:
    for stream in it.expected["streams"]:
        parts = it.client.runs.join_stream(stream["thread_id"], stream["run_id"], last_event_id="-1")
        ids, events = [], []
        for part in parts:
            if part.id:
                ids.append(int(part.id.partition("-")[0]))
                events.append([part.event, part.data])
        stored = [[name, data] for _, name, data in stream["events"]]
        assert len(stored) >= 6
        assert events[: len(stored)] == stored
        assert (len(events) == len(stored)) == stream["complete"]
        assert ids == sorted({*ids})


def test_an_event_id_of_an_earlier_revision_stands_for_the_beginning(it: Revived) -> None:
    stream = next(stream for stream in it.expected["streams"] if stream["complete"])
    seen = stream["events"][3][0]
    parts = it.client.runs.join_stream(stream["thread_id"], stream["run_id"], last_event_id=seen)
    assert [[part.event, part.data] for part in parts] == [[name, data] for _, name, data in stream["events"]]


def test_threads_are_found_and_counted_by_their_metadata(it: Revived) -> None:
    for search in it.expected["searches"]:
        found = it.client.threads.search(metadata=search["metadata"], limit=100)
        assert sorted(thread["thread_id"] for thread in found) == sorted(search["thread_ids"])
        assert it.client.threads.count(metadata=search["metadata"]) == len(search["thread_ids"])


def test_assistants_have_all_their_versions(it: Revived) -> None:
    for assistant_id, versions in it.expected["versions"].items():
        assert len(versions) == 2
        assert holds(it.client.assistants.get_versions(assistant_id), versions)
        latest = it.client.assistants.get(assistant_id)
        assert (latest["version"], latest["config"]) == (2, versions[0]["config"])


def test_graphs_find_what_they_have_put_into_the_store(it: Revived) -> None:
    for key, value in it.expected["items"].items():
        answer: Any = it.client.runs.wait(None, "remembering", input={"key": key})
        assert answer["found"] == value


# Starting once more


@pytest.mark.full
def test_a_further_start_changes_nothing(expected: Expected, start_server: StartServer, tmp_path: Path) -> None:
    new = start_server("new", config=PROJECT, args=WORKERS, env=settings(tmp_path / "gate"))
    assert new.stop() == 0
    with unpacked(expected, tmp_path) as server:
        with revived(expected, server):
            assert server.stop() == 0
        assert schema(server.data) == schema(new.data)
        with revived(expected, server) as it:
            assert_unchanged(it)
            for thread in expected["threads"]:
                assert it.thread(thread["thread_id"])["values"] == thread["values"]
            assert it.client.threads.count(status="busy") == len(expected["pending"])
            assert server.stop() == 0
        assert schema(server.data) == schema(new.data)


def schema(data: Path) -> tuple[list[Any], Counter[str]]:
    """The tables, indexes and triggers as they were written, and how often each migration was applied."""
    with contextlib.closing(sqlite3.connect(data / DATABASE)) as connection:
        parts = connection.execute("select type, name, tbl_name, sql from sqlite_master order by type, name")
        names = connection.execute("select name from _sqlite_migrations")
        return parts.fetchall(), Counter(name for (name,) in names)


# What holds only on the machine that wrote the directory


@dataclass
class Moved:
    """A listener is in the place of the webhooks' receiver, and a stranger has the process id of the dead workers."""

    it: Revived
    listener: WebhookListener
    stranger: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def moved(expected: Expected, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    listener = WebhookListener()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with unpacked(expected, tmp_path_factory.mktemp("moved")) as server:
            put(server.data, expected["places"]["webhooks"], listener.url)
            put(server.data, expected["places"]["pids"], stranger.pid)
            with revived(expected, server) as it:
                yield Moved(it, listener, stranger)
    finally:
        stranger.kill()
        stranger.communicate()
        listener.close()


def put(data: Path, places: list[list[str]], value: str | int) -> None:
    """Into these columns, where they hold anything."""
    with contextlib.closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        for table, column in places:
            changed = connection.execute(f"update {table} set {column} = ? where {column} is not null", (value,))
            assert changed.rowcount


def test_webhooks_that_are_due_are_called(moved: Moved) -> None:
    deliveries = moved.it.expected["deliveries"]
    bodies = moved.listener.bodies
    poll(lambda: {body["run_id"] for body in bodies} >= {delivery["run_id"] for delivery in deliveries})
    told = {body["run_id"]: (body["status"], body["values"]) for body in bodies}
    assert told == {delivery["run_id"]: ("success", delivery["values"]) for delivery in deliveries}


def test_the_process_that_has_the_id_of_a_dead_worker_by_now_is_left_alone(moved: Moved) -> None:
    """The leases of the dead workers are long over, and a frozen worker in such a state would be killed."""
    data, pids = moved.it.server.data, moved.it.expected["places"]["pids"]
    poll(lambda: not count(data, pids, moved.stranger.pid))
    assert moved.stranger.poll() is None


def count(data: Path, places: list[list[str]], value: str | int) -> int:
    """How many rows have it in these columns."""
    with contextlib.closing(sqlite3.connect(data / DATABASE)) as connection:
        found = [
            connection.execute(f"select count(*) from {table} where {column} = ?", (value,)) for table, column in places
        ]
        return sum(cursor.fetchone()[0] for cursor in found)
