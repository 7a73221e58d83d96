"""The sender of webhooks against a real listener; no assertion depends on how long something takes."""

import asyncio
import json
import socket
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from runyard.runtime.config.langgraph_json import WebhookPolicy
from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.webhooks.sender import Retry, WebhookSender

LOCAL = WebhookPolicy(require_https=False, disable_loopback=False)
QUICK = Retry(attempts=3, pause=0.01)


@dataclass
class Row:
    url: str
    payload: dict
    due: float = 0.0
    leased: bool = False
    attempt: int = 0
    delivered: bool | None = None
    errors: list[str] = field(default_factory=list)


class Storage:
    """Deliveries in memory: what the sender relies on, no more."""

    def __init__(self):
        self.rows = {}
        self.changed = asyncio.Condition()
        self.failures = 0
        self.failed = asyncio.Event()

    def add(self, url, **payload):
        number = len(self.rows)
        self.rows[number] = Row(url, {"run_id": f"run-{number}", **payload})
        return self.rows[number]

    async def claim(self, limit, lease_seconds):
        if self.failures:
            self.failures -= 1
            self.failed.set()
            raise OSError("the disk is away")
        now = asyncio.get_running_loop().time()
        waiting = [n for n, row in self.rows.items() if row.delivered is None and not row.leased]
        due = [number for number in waiting if self.rows[number].due <= now]
        claimed = sorted(due, key=lambda number: self.rows[number].due)[:limit]
        for number in claimed:
            self.rows[number].leased = True
            self.rows[number].attempt += 1
        return [self._delivery(number) for number in claimed]

    async def finish(self, delivery_id, attempt, *, delivered):
        self._own(delivery_id, attempt).delivered = delivered
        await self._tell()

    async def postpone(self, delivery_id, attempt, *, seconds, error):
        row = self._own(delivery_id, attempt)
        row.leased = False
        row.due = asyncio.get_running_loop().time() + seconds
        row.errors.append(error)
        await self._tell()

    async def next_due(self):
        now = asyncio.get_running_loop().time()
        open_ones = [row for row in self.rows.values() if row.delivered is None]
        return min((120.0 if row.leased else max(0.0, row.due - now) for row in open_ones), default=None)

    async def until(self, condition):
        async with self.changed:
            await self.changed.wait_for(condition)

    async def all_ended(self):
        await self.until(lambda: all(row.delivered is not None for row in self.rows.values()))

    def _own(self, number, attempt):
        row = self.rows[number]
        assert row.leased
        assert row.attempt == attempt
        return row

    def _delivery(self, number):
        row = self.rows[number]
        return Delivery(
            delivery_id=number,
            attempt=row.attempt,
            url=row.url,
            run_id=row.payload["run_id"],
            payload=json.dumps(row.payload).encode(),
        )

    async def _tell(self):
        async with self.changed:
            self.changed.notify_all()


class Listener:
    """An HTTP/1.1 receiver: answers each path with its list of answers in turn (the last one stays)."""

    def __init__(self):
        self.answers = defaultdict(lambda: ["200 OK"])
        self.received = []
        self.open = self.most_open = 0
        self.connections = 0
        self.silence = asyncio.Event()
        self.called = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.silence.set()
        self._server.close()

    def url(self, path="/hook", host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request, *lines = head.rstrip().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                path = request.split()[1]
                self.received.append((path, headers, body))
                self.called.set()
                answers = self.answers[path]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer == "silence":
                    await self.silence.wait()
                    return
                if answer == "hang up":
                    return
                if answer in ("endless", "unfinished"):
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    while answer == "endless":
                        writer.write(b"x" * 65536)
                        await writer.drain()
                    await self.silence.wait()
                    return
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\nok".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def sending(storage, policy=LOCAL, **options):
    sender = WebhookSender(storage, policy, **{"retry": QUICK, "connect_timeout": 5.0, **options})
    await sender.start()
    try:
        yield sender
    finally:
        await sender.stop(grace=1.0)


@pytest.fixture
async def listener():
    async with Listener() as one:
        yield one


@pytest.fixture
async def storage():
    return Storage()


async def test_the_run_is_posted_as_json_with_the_time_of_sending(listener, storage):
    storage.add(listener.url("/a?b=%20c"), status="success", values={"n": 1, "text": "ü"})
    async with sending(storage) as sender:
        await storage.all_ended()
    [(path, headers, body)] = listener.received
    assert path == "/a?b=%20c"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{listener.port}"
    assert "authorization" not in headers
    assert body.pop("webhook_sent_at").endswith("+00:00")
    assert body == {"run_id": "run-0", "status": "success", "values": {"n": 1, "text": "ü"}}
    assert storage.rows[0].delivered is True
    assert sender.counts.delivered == 1


async def test_wake_sends_what_came_later(listener, storage):
    async with sending(storage) as sender:
        storage.add(listener.url())
        sender.wake()
        await storage.all_ended()
    assert len(listener.received) == 1


async def test_credentials_in_the_url_become_basic_authorization(listener, storage):
    storage.add(f"http://us%40er:p%3Aw@127.0.0.1:{listener.port}/hook")
    async with sending(storage):
        await storage.all_ended()
    assert listener.received[0][1]["authorization"] == "Basic dXNAZXI6cDp3"


@pytest.mark.parametrize(
    "trouble",
    ["500 Oops", "503 Later\r\nretry-after: 0", "429 Slow Down", "408 Late", "425 Early", "hang up"],
)
async def test_passing_trouble_is_tried_again(listener, storage, trouble):
    listener.answers["/hook"] = [trouble, trouble, "204 No Content"]
    row = storage.add(listener.url())
    async with sending(storage) as sender:
        await storage.all_ended()
    assert row.delivered is True
    assert row.attempt == len(listener.received) == 3
    assert len(row.errors) == 2
    assert sender.counts.postponed == 2


@pytest.mark.parametrize(
    "answer", ["400 Bad", "404 Not Found", "410 Gone", "302 Found\r\nlocation: http://127.0.0.1:1/"]
)
async def test_refusals_and_redirects_are_final(listener, storage, answer):
    listener.answers["/hook"] = [answer]
    row = storage.add(listener.url())
    async with sending(storage) as sender:
        await storage.all_ended()
    assert row.delivered is False
    assert len(listener.received) == 1
    assert sender.counts.given_up == 1


async def test_tries_are_bounded(listener, storage):
    listener.answers["/hook"] = ["500 Oops"]
    row = storage.add(listener.url())
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is False
    assert len(listener.received) == 3


async def test_a_delivery_that_never_comes_to_an_end_is_given_up(listener, storage):
    """As if the process had died in each of the tries."""
    row = storage.add(listener.url())
    row.attempt = QUICK.attempts
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is False
    assert listener.received == []


async def test_values_of_any_depth_and_size_arrive(listener, storage):
    deep = big = 10**30
    for _ in range(400):
        deep = [deep]
    storage.add(listener.url(), values={"deep": deep, "big": big})
    async with sending(storage):
        await storage.all_ended()
    assert listener.received[0][2]["values"] == {"deep": deep, "big": big}


async def test_a_silent_receiver_is_left_after_the_time_out(listener, storage):
    listener.answers["/hook"] = ["silence", "200 OK"]
    row = storage.add(listener.url())
    async with sending(storage, total_timeout=0.2):
        await storage.all_ended()
    assert row.delivered is True
    assert row.errors == ["no answer within the time-out"]


@pytest.mark.parametrize("answer", ["endless", "unfinished"])
async def test_an_answer_without_end_counts_by_its_status(listener, storage, answer):
    listener.answers["/hook"] = [answer]
    row = storage.add(listener.url())
    async with sending(storage, total_timeout=0.3):
        await storage.all_ended()
    assert row.delivered is True


async def test_a_closed_port_is_tried_again_and_given_up(storage):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        row = storage.add(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        async with sending(storage):
            await storage.all_ended()
    assert row.delivered is False
    assert "cannot connect" in row.errors[0]


async def test_a_dead_host_does_not_hold_up_others(listener, storage):
    """300 deliveries to a host that never answers come first; the others arrive while it is still silent."""
    dead = Listener()
    async with dead:
        dead.answers["/hook"] = ["silence"]
        doomed = [storage.add(dead.url()) for _ in range(300)]
        good = [storage.add(listener.url()) for _ in range(50)]
        quick = {"total_timeout": 0.5, "host_pause": 0.2, "window": 100, "concurrency": 16}
        async with sending(storage, retry=Retry(attempts=2, pause=0.05), **quick):
            await storage.until(lambda: all(row.delivered for row in good))
            assert len(dead.received) < len(doomed)
            await storage.all_ended()
    assert not any(row.delivered for row in doomed)
    assert len(listener.received) == 50


async def test_posts_at_once_are_bounded_and_connections_used_again(listener, storage):
    for _ in range(60):
        storage.add(listener.url())
    async with sending(storage, per_host=4, window=16):
        await storage.all_ended()
    assert len(listener.received) == 60
    assert listener.most_open <= 4
    assert listener.connections <= 8


async def test_what_was_in_flight_at_a_stop_is_sent_after_the_restart(listener, storage):
    listener.answers["/hook"] = ["503 Later", "200 OK"]
    row = storage.add(listener.url())
    async with sending(storage, retry=Retry(pause=0.01)):
        await storage.until(lambda: row.errors)
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


async def test_stop_hands_back_what_waits_and_what_is_not_answered(listener, storage):
    listener.answers["/hook"] = ["silence"]
    rows = [storage.add(listener.url()) for _ in range(5)]
    sender = WebhookSender(storage, LOCAL, per_host=1, retry=QUICK)
    await sender.start()
    await listener.called.wait()
    await sender.stop(grace=0.05)
    assert [row.leased for row in rows] == [False] * 5


async def test_a_failing_storage_does_not_end_the_sender(listener, storage, caplog):
    storage.failures = 1
    row = storage.add(listener.url())
    async with sending(storage) as sender:
        await storage.failed.wait()
        sender.wake()
        await storage.all_ended()
    assert row.delivered is True
    assert "the storage failed" in caplog.text


@pytest.fixture
def names(monkeypatch):
    """A name server of our own: host -> list of answers, used one after the other; counts the questions."""
    table, asked = {}, []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **options):
        if host not in table:
            return real(host, port, *args, **options)
        asked.append(host)
        addresses = table[host].pop(0) if len(table[host]) > 1 else table[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return table, asked


async def test_a_name_that_resolves_to_a_refused_address_is_not_called(listener, storage, names):
    table, _ = names
    table["hooks.example"] = [["127.0.0.1"]]
    row = storage.add(listener.url(host="hooks.example"))
    async with sending(storage, WebhookPolicy(require_https=False)):
        await storage.all_ended()
    assert row.delivered is False
    assert row.attempt == 1
    assert listener.received == []
    assert listener.connections == 0


async def test_the_connection_goes_to_the_checked_answer_of_the_name_server(listener, storage, names):
    """A second look-up would get another address: there is none."""
    table, asked = names
    table["hooks.example"] = [["127.0.0.1"], ["169.254.169.254"]]
    row = storage.add(listener.url(host="hooks.example"))
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True
    assert asked == ["hooks.example"]
    assert listener.received[0][1]["host"] == f"hooks.example:{listener.port}"


async def test_refused_addresses_among_the_answers_are_skipped(listener, storage, names):
    table, _ = names
    table["hooks.example"] = [["169.254.169.254", "127.0.0.1"]]
    row = storage.add(listener.url(host="hooks.example"))
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


async def test_the_next_address_is_tried_when_one_refuses(listener, storage, names):
    table, _ = names
    table["hooks.example"] = [["127.0.0.2", "127.0.0.1"]]  # nobody listens on the first
    row = storage.add(listener.url(host="hooks.example"))
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


async def test_proxies_of_the_environment_are_not_used(listener, storage, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    row = storage.add(listener.url())
    async with sending(storage):
        await storage.all_ended()
    assert row.delivered is True


def test_pauses_grow_vary_and_are_bounded():
    retry = Retry()
    pauses = [retry.seconds(attempt) for attempt in range(1, retry.attempts)]
    assert all(later > earlier for earlier, later in pairwise(pauses))
    assert 180 <= sum(pauses) <= 320
    assert len({retry.seconds(1) for _ in range(20)}) > 1
    assert retry.seconds(1, asked=60) == 60
    assert retry.seconds(1, asked=10**9) == 300
