"""What the operations on the store ask the project's authorisation handlers, and with which values; see
`thread_access`.

Items have no metadata, so a filter says nothing of them: handlers decide by the namespace, which they may change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runyard.generated.models import StoreDeleteRequest, StoreListNamespacesRequest, StoreSearchRequest
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.scope import Scope

STORE = "store"
_UNFILTERED = (
    "The store knows no filters: whoever decides here needs a handler for it (@auth.on.store) that checks or sets the "
    "namespace"
)


async def put_item(principal: Principal, given: Mapping[str, Any]) -> tuple[Scope, Mapping[str, Any]]:
    """store.put; also the fields as they are to be put."""
    if principal.rules is None:
        return principal.scope, given
    value = {"index": None, **given}
    scope = await _authorize(principal, "put", value, given["namespace"])
    return scope, {**given, **{name: value[name] for name in ("namespace", "key", "value")}}


async def get_item(
    principal: Principal, namespace: Sequence[str] | None, key: str
) -> tuple[Scope, Sequence[str] | None, str]:
    """store.get; also the namespace, whose labels may come joined by dots, and the key as they are to be looked for."""
    labels = [label for part in namespace or () for label in part.split(".")]
    if principal.rules is None:
        return principal.scope, labels, key
    value: dict[str, Any] = {"key": key}
    scope = await _authorize(principal, "get", value, labels)
    return scope, value["namespace"], value["key"]


async def delete_item(principal: Principal, request: StoreDeleteRequest) -> tuple[Scope, StoreDeleteRequest]:
    """store.delete; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    value: dict[str, Any] = {"key": request.key}
    scope = await _authorize(principal, "delete", value, request.namespace or ())
    return scope, replace(request, namespace=value["namespace"], key=value["key"])


async def search_items(principal: Principal, request: StoreSearchRequest) -> tuple[Scope, StoreSearchRequest]:
    """store.search; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    value: dict[str, Any] = {
        "filter": request.filter,
        "limit": request.limit,
        "offset": request.offset,
        "query": request.query,
    }
    scope = await _authorize(principal, "search", value, request.namespace_prefix or ())
    return scope, replace(request, namespace_prefix=value["namespace"], filter=value["filter"])


async def list_namespaces(
    principal: Principal, request: StoreListNamespacesRequest
) -> tuple[Scope, StoreListNamespacesRequest, Sequence[str]]:
    """store.list_namespaces; also the request as it is to be carried out, and the beginning of its prefix in which `*`
    is no pattern: what a handler has put in front of the labels that were asked for."""
    if principal.rules is None or principal.user is None:
        return principal.scope, request, ()
    value: dict[str, Any] = {
        "suffix": request.suffix and tuple(request.suffix),
        "max_depth": request.max_depth,
        "limit": request.limit,
        "offset": request.offset,
    }
    scope = await _authorize(principal, "list_namespaces", value, request.prefix)
    granted, asked = value["namespace"], list(request.prefix or ())
    kept = next(count for count in range(len(asked), -1, -1) if granted[len(granted) - count :] == asked[-count:])
    # Handlers compare labels with what they know of the caller, and one may be called so.
    named = "*" in principal.user.values()
    return scope, replace(request, prefix=granted), granted if named else granted[: len(granted) - kept]


async def _authorize(principal: Principal, action: str, value: dict[str, Any], asked: Sequence[str] | None) -> Scope:
    """Puts the namespace into `value`, for the handler, and leaves there, as a list, what it has made of it."""
    namespace = None if asked is None else tuple(asked)
    value["namespace"] = namespace
    scope = await authorize(principal, STORE, action, value)
    granted = value["namespace"]
    if scope.filter is not None and granted == namespace:
        raise Refusal(403, _UNFILTERED)
    value["namespace"] = [str(label) for label in granted or ()]
    return replace(scope, filter=None)
