"""A workspace: one declared file and one ledger. Each stage adds its methods to the one before."""

from __future__ import annotations

from clearbar.workspace.receiving import Receiving


class Workspace(Receiving):
    """An open workspace with all its stages. Use as a context manager, or call `close`."""


__all__ = ["Workspace"]
