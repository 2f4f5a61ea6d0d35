"""Whose certificates are trusted, by those who ask outside."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Mapping


def context_for(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Return how encrypted connections are made: host names and certificates are checked.

    Certificates are judged by the system's authorities, or by those that `SSL_CERT_FILE` or
    `SSL_CERT_DIR` name. Loading them takes tens of milliseconds: do it once.

    Raises:
        ClearbarError: when what the variables name cannot be read.
    """
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if not file and not folder:
        import httpx2  # noqa: PLC0415 - heavy, and of use here to those alone who ask outside

        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:
        raise ClearbarError(
            "the authorities that SSL_CERT_FILE or SSL_CERT_DIR name cannot be read:"
            f" {error.strerror or 'no certificates'}",
            "correct the variable, or unset it",
        ) from error
