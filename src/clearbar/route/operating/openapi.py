"""The OpenAPI document of the admin API, made from the endpoints and the types they really use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.route.operating.endpoint import JSON, PROBLEM, TITLES, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clearbar.route.operating.endpoint import Endpoint

_ALL: Final = (400, 500)
_NAMES: Final = re.compile(r"\{(\w+)\}")
_REFERENCE: Final = "#/components/schemas/{name}"


def document(endpoints: Sequence[Endpoint], version: str, *, open_metrics: bool) -> bytes:
    """Return the document as JSON."""
    types = [each for endpoint in endpoints for each in (endpoint.reply, endpoint.body) if each]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template=_REFERENCE)
    by_type = dict(zip(map(id, [*types, Problem]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, by_type, open_metrics=open_metrics)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Clearbar gateway: admin API",
                "version": version,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "adminToken": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "The token of the environment or of the file admin-token.",
                    },
                    "gatewayKey": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A key that was issued for a workflow or a team.",
                    },
                },
            },
        }
    )


def _operation(endpoint: Endpoint, by_type: dict[int, Any], *, open_metrics: bool) -> Any:
    security: list[dict[str, list[str]]] = [{"adminToken": []}]
    if endpoint.access == "holder":
        security.append({"gatewayKey": []})
    if endpoint.access == "open" or (endpoint.access == "metrics" and open_metrics):
        security = []
    content = by_type[id(endpoint.reply)] if endpoint.reply else {"type": "string"}
    what = (endpoint.call.__doc__ or "").strip()
    said: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": what,
        "security": security,
        "parameters": [_parameter(name) for name in _NAMES.findall(endpoint.path)],
        "responses": {
            str(endpoint.status): {
                "description": endpoint.summary,
                "content": {endpoint.content_type: {"schema": content}},
            },
            **_errors(endpoint, by_type, secured=bool(security)),
        },
    }
    if endpoint.body:
        schema = by_type[id(endpoint.body)]
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return said


def _parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }


def _errors(endpoint: Endpoint, by_type: dict[int, Any], *, secured: bool) -> dict[str, Any]:
    wanted: Iterable[int] = {
        *_ALL,
        *endpoint.errors,
        *((401,) if secured else ()),
        *((415,) if endpoint.body else ()),
    }
    schema = {PROBLEM: {"schema": by_type[id(Problem)]}}
    return {
        str(status): {"description": TITLES[status], "content": schema} for status in sorted(wanted)
    }
