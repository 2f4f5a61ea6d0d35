"""The list of models that a workflow's clients may name, where no upstream gives one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clearbar.route.protocols import permits, serves

if TYPE_CHECKING:
    from clearbar.route.route import Route, RouteTable
    from clearbar.tools.address import Protocol


def listing(protocol: Protocol, route: Route, table: RouteTable) -> bytes:
    """Return the body of a list of models in a protocol's own shape."""
    names = [
        name
        for name, tool in table.tools.items()
        if tool.kind != "cascade"
        and (not route.allowed or name in route.allowed)
        and permits(name, route.data_class, table.tools)
        and serves(tool, protocol, table.tools)
    ]
    made_at = table.made_at
    body: dict[str, Any]
    if protocol == "openai":
        created = int(made_at.timestamp())
        entries = [
            {"id": name, "object": "model", "created": created, "owned_by": "clearbar"}
            for name in names
        ]
        body = {"object": "list", "data": entries}
    else:
        shown = made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        models = [
            {"type": "model", "id": name, "display_name": name, "created_at": shown}
            for name in names
        ]
        first, last = (names[0], names[-1]) if names else (None, None)
        body = {"data": models, "has_more": False, "first_id": first, "last_id": last}
    return msgspec.json.encode(body)
