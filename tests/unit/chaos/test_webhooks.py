"""Webhooks: missing, of unknown runs, with another status."""

from __future__ import annotations

import pytest

from scripts.chaos_suite.checks.webhooks import delivered
from scripts.chaos_suite.stories import Webhook
from tests.unit.chaos.made_up import evidence, run, stop, thread

CAME = Webhook(run_id="run", tag="run", status="success")


def test_webhooks_that_come_once_or_more_often_are_right() -> None:
    assert delivered(evidence(run(webhook=True), webhooks=[CAME])) == []
    assert delivered(evidence(run(webhook=True), webhooks=[CAME, CAME])) == []
    assert delivered(evidence(run())) == []


@pytest.mark.parametrize("status", ["success", "error"])
def test_a_webhook_that_does_not_come_is_found(status: str) -> None:
    assert [finding.kind for finding in delivered(evidence(run(status=status, webhook=True)))] == ["webhook"]


def test_nothing_is_asked_of_what_was_stopped_or_deleted() -> None:
    assert delivered(evidence(run(status=None, webhook=True, stops=[stop(rollback=True)]))) == []
    assert delivered(evidence(run(webhook=True), thread=thread(status=None, deleted=1.0))) == []


def test_a_webhook_of_a_run_that_nobody_sent_is_found() -> None:
    unknown = Webhook(run_id="other", tag="other", status="success")
    assert [finding.kind for finding in delivered(evidence(run(), webhooks=[unknown]))] == ["webhook"]


def test_a_webhook_of_a_run_whose_acceptance_nobody_was_told_is_right() -> None:
    case = evidence(webhooks=[CAME])
    case.tags.add("run")
    assert delivered(case) == []


def test_a_webhook_with_another_status_than_its_run_is_found() -> None:
    case = evidence(run(status="interrupted", webhook=True, stops=[stop()]), webhooks=[CAME])
    assert [finding.kind for finding in delivered(case)] == ["webhook"]
