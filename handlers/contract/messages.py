"""Messages of protocols that say in their own form what is wrong with one, held against the document's components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.handlers.contract.bodies import in_pool_if_large
from runyard.handlers.contract.faults import Checked
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.contract.violations import describe_violations
from runyard.runtime.errors import Invalid


class Messages:
    """Reads bodies, and says whether what is in them fits a component."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        self._checked: dict[str, Checked] = {}

    async def read(self, raw: bytes) -> Any:
        """The JSON of a body. Raises Invalid with the place of what is wrong."""
        return await in_pool_if_large(parse_json, raw)

    def check(self, component: str, value: Any, root: str) -> None:
        """Raises Invalid for a value that does not fit; `root` is what its place is called."""
        if component not in self._checked:
            self._checked[component] = Checked({"$ref": f"#/components/schemas/{component}"}, self._schemas)
        checked = self._checked[component]
        if not checked.is_valid(value):
            raise Invalid(describe_violations(checked, value, root))
