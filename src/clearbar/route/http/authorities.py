"""Encrypted connections to upstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core import authorities

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


def context_for(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Return how encrypted connections are made, see `core.authorities`; they speak HTTP/1.1.

    Raises:
        ClearbarError: when what the variables name cannot be read.
    """
    context = authorities.context_for(environment)
    context.set_alpn_protocols(["http/1.1"])
    return context
