"""Authentication that lets everybody in, so that there is what only servers with authentication have."""

from __future__ import annotations

from runyard.runtime.auth.inner_requests import Caller
from runyard.runtime.auth.principal import ANONYMOUS, Principal
from runyard.runtime.auth.requests import IncomingRequest


class Everybody:
    async def authenticate(self, request: IncomingRequest) -> Principal:
        return ANONYMOUS

    def known(self, caller: Caller) -> Principal:
        return ANONYMOUS
