"""Describing what a value violates, so that its sender knows where to look and what to write instead."""

from __future__ import annotations

from itertools import islice
from typing import Any

import jsonschema_rs
import orjson
from jsonschema_rs import ValidationErrorKind as Kind

from runyard.handlers.contract.json_body import format_path

_SHOWN_ERRORS = 3
_SHOWN_CHARACTERS = 120
_PLAIN = (Kind.Type, Kind.MinItems, Kind.Required)


def describe_violations(validator: jsonschema_rs.Draft202012Validator, value: Any, root: str) -> str:
    """The first violations of `value`, each with its place, such as `body[3].config.tags`."""
    errors = list(islice(validator.iter_errors(value), _SHOWN_ERRORS + 1))
    causes = [_cause(error) for error in errors[:_SHOWN_ERRORS]]
    if len(errors) == 1 and root == "body" and not causes[0].instance_path and isinstance(causes[0].kind, _PLAIN):
        return _describe_body(causes[0])
    shown = "; ".join(f"{format_path(cause.instance_path, root)}: {_message(cause)}" for cause in causes)
    return shown + ("; and more" if len(errors) > _SHOWN_ERRORS else "")


def _cause(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """The error within an alternative, where the value has the shape of that one alternative only."""
    while isinstance(error.kind, (Kind.AnyOf, Kind.OneOfNotValid)):
        depth = len(error.instance_path)
        meant = [
            branch for branch in error.kind.context if branch and not any(_is_about_shape(e, depth) for e in branch)
        ]
        if len(meant) != 1:
            break
        error = meant[0][0]
    return error


def _is_about_shape(error: jsonschema_rs.ValidationError, depth: int) -> bool:
    """Whether the error says that the value as a whole is something else than the alternative asks for."""
    return len(error.instance_path) <= depth and isinstance(error.kind, (Kind.Type, Kind.Enum, Kind.Constant))


def _describe_body(error: jsonschema_rs.ValidationError) -> str:
    """An error of the body as a whole, in the form that the official server gives to it."""
    shown = _shown(error.instance)
    text = error.message.replace(_quoted(error.instance), shown)
    return f'{text}\n\nFailed validating "{error.kind.name}" in schema\n\nOn instance:\n    {shown}'


def _message(error: jsonschema_rs.ValidationError) -> str:
    match error.kind:
        case Kind.AnyOf(context=context) | Kind.OneOfNotValid(context=context):
            wanted = dict.fromkeys(_alternative(branch) for branch in context)
            return f"{_shown(error.instance)} is not {' or '.join(wanted)}"
        case Kind.OneOfMultipleValid():
            return "these fields do not go together"
        case Kind.Required(property=name):
            return f"{_quoted(name)} is required"
        case _:
            return f"{_shown(error.instance)} is not {_wanted(error)}"


def _alternative(errors: list[jsonschema_rs.ValidationError]) -> str:
    """What one alternative asks for."""
    missing = [error.kind.property for error in errors if isinstance(error.kind, Kind.Required)]
    if len(missing) == len(errors):
        return f"an object with {' and '.join(map(_quoted, missing))}"
    return " and ".join(dict.fromkeys(map(_wanted, errors)))


def _wanted(error: jsonschema_rs.ValidationError) -> str:
    """What the value should have been, to follow "is not"."""
    match error.kind:
        case Kind.Type(types=types):
            return " or ".join(f'of type "{name}"' for name in types)
        case Kind.Enum(options=options):
            return "one of " + ", ".join(_quoted(option) for option in options)
        case Kind.Constant(expected_value=expected):
            return _quoted(expected)
        case Kind.Format(format=name):
            return f'a "{name}"'
        case Kind.Minimum(limit=limit):
            return f"at least {limit}"
        case Kind.Maximum(limit=limit):
            return f"at most {limit}"
        case Kind.MinItems(limit=limit):
            return f"long enough: it needs at least {limit} item{'' if limit == 1 else 's'}"
        case Kind.MinLength(limit=limit):
            return f"long enough: it needs at least {limit} character{'' if limit == 1 else 's'}"
        case Kind.MaxLength(limit=limit):
            return f"short enough: it may have at most {limit} characters"
        case Kind.Pattern(pattern=pattern):
            return f"of the form {pattern}"
        case Kind.MaxProperties(limit=limit):
            return f"small enough: it may have at most {limit} entries"
        case _:
            return f"valid ({error.message[:_SHOWN_CHARACTERS]})"


def _quoted(value: Any) -> str:
    return orjson.dumps(value).decode()


def _shown(value: Any) -> str:
    text = _quoted(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
