"""What an IP address reaches, by a list of our own.

The standard library's lists differ from one version of Python to the next, and say "global" of addresses that lead into
a private network. The ranges are those of IANA's registries of special-purpose addresses; what is new there is not
public here until it stands in `2000::/3` or among the rest of IPv4.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Kind = Literal["public", "loopback", "private", "metadata", "link-local", "unusable"]

# Addresses that cloud machines answer credentials on and that are not all link-local.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
    )
)
_RANGES: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (
        "loopback",
        ("127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128"),
    ),  # connecting to 0.0.0.0 or :: reaches this machine
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    # Private networks, the space that carriers share, site-local and unique local addresses, NAT64 within a network.
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    ("private", ("fc00::/7", "fec0::/10", "64:ff9b:1::/48")),
    # For protocols, benchmarks and documentation: of no use in public, and used within networks.
    ("private", ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")),
    ("private", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")),
    ("private", ("2001::/23", "2001:db8::/32", "3fff::/20")),
    # Other parts of this network, multicast, reserved.
    ("unusable", ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8")),
)
_SPECIAL = tuple((ipaddress.ip_network(each), kind) for kind, ranges in _RANGES for each in ranges)
_PUBLIC = ipaddress.IPv6Network("2000::/3")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")


def kind_of_address(address: Address) -> Kind:
    """What an IP address reaches. IPv6 forms that carry IPv4 addresses are judged by those as well."""
    plain = ipaddress.ip_address(address.packed)  # without the zone of a link-local address
    if plain in _METADATA:
        return "metadata"
    for network, kind in _SPECIAL:
        if plain.version == network.version and plain in network and plain not in _TEREDO:
            return kind
    if isinstance(plain, ipaddress.IPv4Address):
        return "public"
    carried = [*map(kind_of_address, _carried(plain))]
    if hidden := next((kind for kind in carried if kind != "public"), None):
        return hidden
    # Compatible addresses were given up: nothing public has one.
    return "public" if plain in _PUBLIC or (carried and plain not in _COMPATIBLE) else "unusable"


def _carried(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that packets to this one may be sent to."""
    number = int(address)
    if address in _MAPPED or address in _COMPATIBLE or address in _NAT64:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    elif address in _6TO4:
        yield ipaddress.IPv4Address(number >> 80 & 0xFFFFFFFF)
    elif address in _TEREDO:
        yield ipaddress.IPv4Address(number >> 64 & 0xFFFFFFFF)  # the server
        yield ipaddress.IPv4Address(~number & 0xFFFFFFFF)  # the client, written the other way round
