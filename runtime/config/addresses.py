"""Names and addresses of this machine itself, as they stand in URLs, headers and options."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether only this machine is meant: `localhost`, an address in 127.0.0.0/8, or ::1, with brackets or without."""
    name = host.lower().removeprefix("[").removesuffix("]")
    if name.rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
