"""Which webhook targets are accepted when a run is submitted."""

from __future__ import annotations

import pytest

from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import Invalid
from runyard.runtime.webhooks.targets import check_target

STRICT = WebhookPolicy()
HTTP = WebhookPolicy(require_https=False)
LOCAL = WebhookPolicy(require_https=False, disable_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "HTTPS://EXAMPLE.COM:8443/hook?token=1#x",
        "https://user:secret@example.com/",
        "https://bücher.example/",
        "https://my_host.internal-name.example./",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
    ],
)
def test_public_targets_are_accepted(url: str) -> None:
    check_target(url, STRICT)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/", "require_https"),
        ("/threads", "relative"),
        ("hook", "relative"),
        ("//example.com/x", "relative"),
        ("ftp://example.com/", "'ftp'"),
        ("file:///etc/passwd", "'file'"),
        ("javascript:alert(1)", "'javascript'"),
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:99999/", "port 99999"),
        ("https://[::1", "not a URL"),
        ("https://exa mple.com/", "cannot be called"),
        ("https://a..b/", "cannot be called"),
        ("https://localhost/", "loopback"),
        ("https://LOCALHOST./", "loopback"),
        ("https://api.localhost/", "loopback"),
        ("https://127.0.0.1/", "loopback"),
        ("https://127.1/", "loopback"),
        ("https://2130706433/", "loopback"),
        ("https://0x7f000001/", "loopback"),
        ("https://0.0.0.0/", "loopback"),
        ("https://[::]/", "loopback"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:127.0.0.1]/", "loopback"),
        ("https://[64:ff9b::7f00:1]/", "loopback"),
        ("https://127。0。0。1/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("https://192.168.1.5/", "private"),
        ("https://100.64.0.1/", "private"),
        ("https://[fd00::1]/", "private"),
        ("https://[2002:a00:1::]/", "private"),
        ("https://169.254.1.1/", "link-local"),
        ("https://[fe80::1%25eth0]/", "link-local"),
        ("https://224.0.0.1/", "cannot be called"),
        ("https://255.255.255.255/", "cannot be called"),
    ],
)
def test_other_targets_are_refused_with_place_and_reason(url: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_target(url, STRICT)
    assert refused.value.detail.startswith("webhook: ")
    assert said in refused.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "[fd00:ec2::254]",
        "metadata.google.internal",
        "[fe80::1]",
    ],
)
def test_no_policy_opens_metadata_and_link_local_addresses(host: str) -> None:
    with pytest.raises(Invalid, match="never called"):
        check_target(f"https://{host}/", LOCAL)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:1", "[::1]", "10.1.2.3", "192.168.0.9"])
def test_the_configuration_opens_loopback_and_private_targets(host: str) -> None:
    check_target(f"http://{host}/x", LOCAL)
    with pytest.raises(Invalid, match="disable_loopback"):
        check_target(f"http://{host}/x", HTTP)


def test_http_is_its_own_setting() -> None:
    check_target("http://example.com/", HTTP)
    with pytest.raises(Invalid, match="https"):
        check_target("http://localhost/", WebhookPolicy(disable_loopback=False))


def test_the_detail_stays_short() -> None:
    with pytest.raises(Invalid) as refused:
        check_target(f"https://{'a' * 5000}..b/", STRICT)
    assert len(refused.value.detail) < 300


LISTED = WebhookPolicy(allowed_domains=("hooks.example.com", "*.example.org", "8.8.8.8", "xn--bcher-kva.example"))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a",
        "https://HOOKS.example.com./a",
        "https://a.b.example.org/",
        "https://8.8.8.8/",
        "https://bücher.example/",
    ],
)
def test_listed_domains_are_accepted(url: str) -> None:
    check_target(url, LISTED)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "https://evilexample.org/",
        "https://hooks.example.com.evil.net/",
        "https://a.hooks.example.com/",
        "https://hooks.example.com@evil.net/",
        "https://8.8.4.4/",
    ],
)
def test_other_domains_are_refused(url: str) -> None:
    with pytest.raises(Invalid, match="allowed_domains"):
        check_target(url, LISTED)


def test_a_listed_domain_opens_no_private_address() -> None:
    with pytest.raises(Invalid, match="loopback"):
        check_target("https://localhost/", WebhookPolicy(allowed_domains=("localhost",)))


def test_the_port_of_the_scheme_counts_where_the_url_has_none() -> None:
    policy = WebhookPolicy(require_https=False, allowed_ports=(443, 8443))
    check_target("https://example.com/", policy)
    check_target("https://example.com:8443/", policy)
    for url in ("http://example.com/", "https://example.com:444/"):
        with pytest.raises(Invalid, match="allowed_ports"):
            check_target(url, policy)


def test_long_urls_are_refused() -> None:
    policy = WebhookPolicy(max_url_length=24)
    check_target("https://example.com/1234", policy)
    with pytest.raises(Invalid, match="longer than 24 characters"):
        check_target("https://example.com/12345", policy)
