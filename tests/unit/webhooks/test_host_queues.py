"""The order in which webhooks are sent, on a clock of our own."""

from __future__ import annotations

from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.webhooks.host_queues import Hosts


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def delivery(number: int, host: str = "a") -> Delivery:
    url = f"https://{host}.example/hook"
    return Delivery(delivery_id=number, attempt=1, url=url, run_id=f"run-{number}", payload=b"{}")


def filled(clock: Clock, *deliveries: Delivery, per_host: int = 2) -> Hosts:
    """Queues with these deliveries."""
    hosts = Hosts(per_host=per_host, clock=clock)
    for one in deliveries:
        hosts.add(one, until=clock.now + 1000)
    return hosts


def begun(hosts: Hosts) -> list[int]:
    """The deliveries that may be sent now, by their numbers."""
    numbers = []
    while one := hosts.begin():
        numbers.append(one.delivery_id)
    return numbers


def break_down(hosts: Hosts, clock: Clock) -> None:
    """Three failures in a row, which is what a host is allowed."""
    for number in (901, 902, 903):
        one = delivery(number)
        hosts.add(one, until=clock.now + 1000)
        assert hosts.begin() == one
        hosts.end(one, host_down=True)


def test_hosts_take_turns_and_each_has_its_bound() -> None:
    hosts = filled(Clock(), *(delivery(n) for n in range(5)), delivery(10, "b"), delivery(20, "c"))
    assert begun(hosts) == [0, 10, 20, 1]
    hosts.end(delivery(0), host_down=False)
    assert begun(hosts) == [2]
    assert hosts.held == 6


def test_a_host_that_fails_three_times_in_a_row_is_left_alone_and_tried_again_by_one() -> None:
    clock = Clock()
    hosts = filled(clock)
    break_down(hosts, clock)
    for number in range(4):
        hosts.add(delivery(number), until=clock.now + 1000)
    assert begun(hosts) == []
    away = hosts.turn_away()
    assert [one.delivery_id for one, _ in away] == [0, 1, 2, 3]
    assert {seconds for _, seconds in away} == {5.0}
    assert hosts.held == 0

    clock.now += 5
    for number in range(4, 8):
        hosts.add(delivery(number), until=clock.now + 1000)
    assert hosts.turn_away() == []
    assert begun(hosts) == [4]
    hosts.end(delivery(4), host_down=True)
    assert {seconds for _, seconds in hosts.turn_away()} == {10.0}

    clock.now += 10
    for number in range(8, 12):
        hosts.add(delivery(number), until=clock.now + 1000)
    assert begun(hosts) == [8]
    hosts.end(delivery(8), host_down=False)
    assert begun(hosts) == [9, 10]


def test_those_in_flight_when_a_host_goes_down_count_once() -> None:
    clock = Clock()
    hosts = filled(clock, *(delivery(n) for n in range(8)), per_host=8)
    assert len(begun(hosts)) == 8
    for number in range(8):
        hosts.end(delivery(number), host_down=True)
    hosts.add(delivery(8), until=clock.now + 1000)
    assert [seconds for _, seconds in hosts.turn_away()] == [5.0]


def test_any_answer_is_a_sign_of_life() -> None:
    clock = Clock()
    hosts = filled(clock)
    for number, down in enumerate((True, True, False, True, True)):
        hosts.add(delivery(number), until=clock.now + 1000)
        assert begun(hosts) == [number]
        hosts.end(delivery(number), host_down=down)
    hosts.add(delivery(9), until=clock.now + 1000)
    assert begun(hosts) == [9]


def test_what_waited_longer_than_its_claim_is_let_go() -> None:
    clock = Clock()
    hosts = filled(clock, delivery(0), delivery(1))
    clock.now += 2000
    hosts.add(delivery(2), until=clock.now + 1000)
    assert begun(hosts) == [2]
    assert hosts.held == 1
    assert hosts.drain() == []


def test_what_waits_is_given_back_by_drain() -> None:
    hosts = filled(Clock(), *(delivery(n) for n in range(4)))
    assert begun(hosts) == [0, 1]
    assert [one.delivery_id for one in hosts.drain()] == [2, 3]
    assert hosts.held == 2


def test_other_hosts_are_not_touched_by_one_that_is_down() -> None:
    clock = Clock()
    hosts = filled(clock)
    break_down(hosts, clock)
    other = delivery(1, "b")
    hosts.add(other, until=clock.now + 1000)
    assert hosts.begin() == other


def test_memory_of_hosts_is_bounded() -> None:
    clock = Clock()
    hosts = filled(clock)
    for number in range(5000):
        one = delivery(number, f"h{number}")
        hosts.add(one, until=clock.now + 1000)
        assert hosts.begin() == one
        hosts.end(one, host_down=True)
    assert len(hosts._hosts) <= 1024
