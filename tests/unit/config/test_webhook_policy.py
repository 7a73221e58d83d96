"""The headers of webhooks: templates are filled in when the server starts, or it does not start."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.config.webhook_policy import read_webhooks
from runyard.runtime.errors import ConfigError

VARIABLES = {
    "LG_WEBHOOK_TOKEN": "s3cret",
    "LG_WEBHOOK_EMPTY": "",
    "LG_WEBHOOK_LINES": "s3cret\nX: 1",
    "OTHER": "s3cret",
}


def policy(**webhooks: Any) -> WebhookPolicy:
    return read_webhooks("langgraph.json", {"webhooks": webhooks}, VARIABLES, enabled=True)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("plain", "plain"),
        ("Bearer ${{ env.LG_WEBHOOK_TOKEN }}", "Bearer s3cret"),
        ("${{env.LG_WEBHOOK_TOKEN}}:${{ env.LG_WEBHOOK_TOKEN }}", "s3cret:s3cret"),
        ("$ {{ braces }} ${HOME}", "$ {{ braces }} ${HOME}"),
    ],
)
def test_templates_are_filled_in(value: str, sent: str) -> None:
    assert policy(headers={"X-Token": value}).headers == (("X-Token", sent),)


def test_another_prefix_opens_other_variables() -> None:
    assert policy(env_prefix="OTH", headers={"a": "${{ env.OTHER }}"}).headers == (("a", "s3cret"),)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"a": "${{ env.LG_WEBHOOK_NOWHERE }}"}, "the variable LG_WEBHOOK_NOWHERE is not set"),
        ({"a": "${{ env.LG_WEBHOOK_EMPTY }}"}, "the variable LG_WEBHOOK_EMPTY is not set"),
        ({"a": "${{ env.OTHER }}"}, "OTHER does not begin with LG_WEBHOOK_"),
        ({"a": "${{ secrets.TOKEN }}"}, "a template must be ${{ env.NAME }}"),
        ({"a": "${{ env.LG_WEBHOOK_LINES }}"}, "characters that no header can hold"),
        ({"a": 1}, "must be a string"),
        ({"a b": "x"}, "not the name of a header"),
        ({"Host": "x"}, "belongs to the connection"),
        ({"content-length": "1"}, "belongs to the connection"),
    ],
)
def test_a_header_that_cannot_be_sent_stops_the_start(headers: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        policy(headers=headers)
    assert f"langgraph.json: webhooks.headers.{next(iter(headers))}" in error.value.detail
    assert said in error.value.detail
    assert "s3cret" not in error.value.detail
    assert "\n" not in error.value.detail


def test_headers_are_not_shown() -> None:
    assert "s3cret" not in repr(policy(headers={"a": "${{ env.LG_WEBHOOK_TOKEN }}"}))


def test_domains_are_kept_as_hosts_are_compared() -> None:
    domains = ["Hooks.Example.COM.", "*.example.org", "bücher.example", "10.0.0.1"]
    listed = ("hooks.example.com", "*.example.org", "xn--bcher-kva.example", "10.0.0.1")
    assert policy(url={"allowed_domains": domains}).allowed_domains == listed
