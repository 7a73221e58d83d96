"""How messages are written for a wire: as msgpack."""

from collections.abc import Sequence
from typing import Any

import msgspec

from runyard.runtime.bus.messages import Message


def _plain(value: object) -> str:
    """Code of graphs may hand over classes of its own that are texts."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is nothing that a message can have")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)


def encode(messages: Sequence[Message] | Message) -> bytes:
    """One message, or a list of them. What UTF-8 cannot say, halves of surrogate pairs in names of files or in texts of
    errors, becomes question marks: one message does not hold up the others."""
    try:
        return _ENCODER.encode(messages)
    except UnicodeEncodeError:
        return _ENCODER.encode(_readable(msgspec.to_builtins(messages, builtin_types=(bytes,), enc_hook=_plain)))


def _readable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list() | tuple():
            return [_readable(each) for each in value]
        case dict():
            return {_readable(key): _readable(each) for key, each in value.items()}
    return value
