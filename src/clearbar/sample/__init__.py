"""A small company that does not exist: usage files in real formats, with known truth."""

from clearbar.sample.defences import DefenceTruth
from clearbar.sample.story import AS_OF, DAYS, FIRST_DAY
from clearbar.sample.truth import Totals, Truth, WorkflowTruth
from clearbar.sample.world import SEED, write_sample

__all__ = [
    "AS_OF",
    "DAYS",
    "FIRST_DAY",
    "SEED",
    "DefenceTruth",
    "Totals",
    "Truth",
    "WorkflowTruth",
    "write_sample",
]
