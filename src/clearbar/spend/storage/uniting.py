"""Which identities are one call: a pure function of who says what.

A record names its call by one identity, and knows other identities of it. So identities hang
together, and those that do are one call, within three limits:

- one source names one call by one identity. Two identities of one source are two calls, whatever
  they share: attempts of one request share its trace, a session shares its id;
- a call has no more than `MOST_IDENTITIES`;
- what is shared counts in the order of `STRENGTHS`. What would break a limit unites nothing, all
  of its kind in that place alike, so that neither order nor chance says which two are one; what is
  stronger stands.

So a broken or hostile file can keep calls apart that are one, which shows as too much, but can
never fold many into one, which would not show.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.spend.storage.arrays import Array

STRENGTHS: Final[Mapping[str, int]] = MappingProxyType(
    {"upstream": 4, "gateway": 3, "span": 2, "client": 1}
)
"""Kind of identity -> how much it says that two share it. Other kinds unite nothing."""
MOST_IDENTITIES: Final = 8
"""Of one call: a few gateways, a trace, an agent's log and the provider know it."""


def labels_of(
    count: int, links: tuple[Array, Array, Array], witnesses: tuple[Array, Array]
) -> Array:
    """Return a label for each of `count` identities, the same for those that are one call.

    `links` are pairs of identities that a record names together, with the strength of each;
    `witnesses` are the identities by which records are named, each with the number of its source,
    no pair twice. Identities are numbers below `count`.
    """
    import numpy as np  # noqa: PLC0415 - as where columns are made

    ones, others, strengths = links
    labels = np.arange(count)
    for strength in sorted(STRENGTHS.values(), reverse=True):
        chosen = strengths == strength
        near, far = labels[ones[chosen]], labels[others[chosen]]
        wished = _connected(count, near, far)
        kept = ~_too_much(count, wished[labels], witnesses)[wished[near]]
        labels = _connected(count, near[kept], far[kept])[labels]
    return labels


def _too_much(count: int, labels: Array, witnesses: tuple[Array, Array]) -> Array:
    """Return for each label whether what has it can be no one call."""
    import numpy as np  # noqa: PLC0415

    named, sources = witnesses
    most = int(sources.max(initial=0)) + 1
    spoken, times = np.unique(labels[named] * most + sources, return_counts=True)
    broken = np.bincount(labels[np.unique(named)], minlength=count) > MOST_IDENTITIES
    broken[spoken[times > 1] // most] = True
    return broken


def _connected(count: int, ones: Array, others: Array) -> Array:
    """Return the smallest number that each number hangs together with.

    Each turn hangs every root onto the smallest that a neighbour knows: at most half of the roots
    are left, so that a chain of any length takes few turns.
    """
    import numpy as np  # noqa: PLC0415

    roots = np.arange(count)
    while True:
        near, far = roots[ones], roots[others]
        apart = near != far
        if not apart.any():
            return roots
        near, far = near[apart], far[apart]
        low = np.minimum(near, far)
        np.minimum.at(roots, near, low)
        np.minimum.at(roots, far, low)
        while (roots != (jumped := roots[roots])).any():
            roots = jumped
