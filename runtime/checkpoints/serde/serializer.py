"""The serializer of checkpoints: LangGraph's, for more types."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from runyard.runtime.checkpoints.serde.packing import pack
from runyard.runtime.checkpoints.serde.unpacking import Unpacker


class StateSerializer(JsonPlusSerializer):
    """Keeps what states hold in the wild, without pickles, and reads what LangGraph's own serializer has written.

    `LANGGRAPH_STRICT_MSGPACK` holds as it does with LangGraph: then only classes are made again that the graph's own
    annotations name. See `state_serializer` for what projects say.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Raises UnsavableValue for a value of a type that checkpoints do not hold, or what the value's own code
        raises."""
        if obj is None:
            return "null", b""
        if type(obj) is bytes:
            return "bytes", obj
        if isinstance(obj, bytearray):
            return "bytearray", bytes(obj)
        return "msgpack", pack(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, packed = data
        if kind == "msgpack":
            return self._unpacker().unpack(packed)
        return super().loads_typed(data)

    def _unpacker(self) -> Unpacker:
        # LangGraph copies a serializer to give it other allowed classes.
        allowed = getattr(self, "_allowed_msgpack_modules", True)
        known: tuple[Any, Unpacker] | None = getattr(self, "_known_unpacker", None)
        if known is None or known[0] is not allowed:
            known = (allowed, Unpacker(allowed))
            self._known_unpacker = known
        return known[1]


def state_serializer(classes: Collection[tuple[str, str]] | None) -> StateSerializer:
    """One that makes, beside what is always safe, only these classes again, by module and name; None: any that is made
    to hold data, or what `LANGGRAPH_STRICT_MSGPACK` leaves of them."""
    serializer = StateSerializer()
    if classes is not None:
        # Not handed to the constructor: earlier versions of LangGraph do not take it there.
        serializer._allowed_msgpack_modules = {*classes} or None
    return serializer
