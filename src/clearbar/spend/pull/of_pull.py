"""What a pull adds to the records of its pages: the account, and that the newest pull is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clearbar.spend.pull.kept import account_of, pulled_us

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.charge import Record


class OfPull(NamedTuple):
    """Which pull a file is of."""

    pulled_us: int
    """Microseconds since 1970."""
    account: str
    """As named when pulling; empty for none."""

    def told(self, record: Record) -> Record:
        """Return a record with what the pull adds.

        An account stands in the identity of a bucket or a line of a bill: two accounts have lines
        of the same natural key. A call has an id of its own.
        """
        origin = record.origin
        if self.account and not origin.account:
            origin = msgspec.structs.replace(origin, account=self.account)
        if record.grain == "call":
            return msgspec.structs.replace(record, origin=origin)
        identity = f"{record.identity}@{self.account}" if self.account else record.identity
        return msgspec.structs.replace(
            record, origin=origin, identity=identity, final=self.pulled_us
        )


def of_pull(path: Path) -> OfPull | None:
    """Return which pull a file is of; None for a file that no pull has kept."""
    pulled = pulled_us(path)
    return None if pulled is None else OfPull(pulled, account_of(path))
