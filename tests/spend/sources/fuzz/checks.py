"""What has to hold of any file: what comes out of a source, what it costs, and what it tells."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
import traceback
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from tests.spend.sources.fuzz.texts import QUOTED

import clearbar
from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.charge import MAX_QUANTITY, METERS, Record
from clearbar.spend.files.entry import Note
from clearbar.spend.files.source_file import MAX_DOCUMENT_BYTES, SourceFile, open_source_file
from clearbar.spend.sources import SOURCES, Source

if TYPE_CHECKING:
    from clearbar.spend.files.table_mapping import TableMapping

CPU_S: Final = 3.0
"""Of any file, however small."""
CPU_S_PER_MB: Final = 1.0
"""Of what a file holds once it is decompressed."""
CPU_S_PER_RECORD: Final = 20e-6
PEAK_MB: Final = 1_500
"""Of the process that reads one file after another."""
_MOST_USD: Final = Decimal(10) ** 9
_MOMENTS_US: Final = range(-(10**17), 10**18)
_WORD: Final = re.compile(r"[A-Za-z]{5,}")
_SUGGESTED: Final = re.compile(r'Did you mean ".*"')
"""A column's name, in place of one that a declaration misspells."""
_DIGITS: Final = re.compile(r"0x[0-9a-f]+|[\d,.:]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-f]+")
_LIBRARY: Final = frozenset(
    re.findall(
        r"\w+",
        """
        Expected Object Invalid argument missing required field fields unknown length value array
        object number RFC3339 encoded datetime timezone component directory isSidechain Compressed
        gzipped ended before marker reached decompressing invalid lengths distances Incorrect code
        produced stored block type check stream incorrect header compression method flags window
        size literal symbols distance many codec position continuation unexpected start byte decode
        bytes failed
        """,
    )
)
"""Words of msgspec and of the system, which some problems pass on."""


class BrokenLaw(AssertionError):  # noqa: N818 - it names what happened
    """Something that must hold of any file does not."""


class Outcome(NamedTuple):
    """What one file gave: the source that knew it, the lines that records tell of, the problems."""

    source: str
    lines: int
    problems: int
    cpu_s: float


class Checked:
    """Checks one file after another; remembers which problems were seen."""

    def __init__(self) -> None:
        self.problems: dict[str, int] = {}
        """What was said, numbers left out -> how often."""
        self._encode = msgspec.json.Encoder().encode

    def check(self, path: Path, mapping: TableMapping | None = None, home: str = "") -> Outcome:
        """Read a file as an ingest does; where no source knows it, by the source named `home`.

        Raises:
            BrokenLaw: when the file costs too much, or what comes out of it cannot be.
        """
        began = time.process_time()
        lines = problems = 0
        source = None
        ours = frozenset(_WORD.findall(f"{path.name} {mapping}")) if mapping else frozenset()
        try:
            file = open_source_file(path, mapping)
            source = _known_by(file)
            reader = source or _named(home)
            for item in reader.read(file) if reader else ():
                if isinstance(item, Note):
                    self._check_problem(Problem(item.what, item.hint), ours)
                elif isinstance(item, Problem):
                    self._check_problem(item, ours)
                    problems += 1
                else:
                    self._check_record(item, reader.NAME if reader else "")
                    lines += item.lines
        except ClearbarError as error:
            self._check_problem(Problem(error.message, error.hint), ours)
            problems += 1
        cpu_s = time.process_time() - began
        _check_cost(path, cpu_s, lines + problems)
        return Outcome(source.NAME if source else "", lines, problems, cpu_s)

    def _check_record(self, item: object, source: str) -> None:
        if not isinstance(item, Record):
            raise BrokenLaw(f"neither a record nor a problem: {type(item).__name__}")
        for meter in METERS:
            count = getattr(item, meter)
            if count is not None and (type(count) is not int or not 0 <= count <= MAX_QUANTITY):
                raise BrokenLaw(f"{meter} is {str(count)[:30]}")
        for cost in (item.reported_cost_usd, item.reported_cost):
            if cost is not None and (type(cost) is not Decimal or not abs(cost) <= _MOST_USD):
                raise BrokenLaw(f"a cost is {str(cost)[:30]}")
        for moment in (item.started_at_us, item.ended_at_us, item.seen_at_us):
            if moment is not None and (type(moment) is not int or moment not in _MOMENTS_US):
                raise BrokenLaw(f"a moment is {str(moment)[:30]}")
        if not item.identity or item.lines < 1 or item.calls < 0:
            raise BrokenLaw("no identity, no line, or fewer calls than none")
        if source not in {item.origin.source, "withdrawn"}:
            raise BrokenLaw(f"a record of {item.origin.source} out of {source}")
        self._encode(item)

    def _check_problem(self, problem: Problem, ours: frozenset[str]) -> None:
        """Check what is said; `ours` are words of the declaration, which it may name."""
        said = f"{problem.what} | {problem.hint}"
        kind = _DIGITS.sub("#", said[:2_000])
        if kind in self.problems:
            self.problems[kind] += 1
            return
        self.problems[kind] = 1
        if QUOTED in said or len(said) > 500:
            raise BrokenLaw(f"a problem quotes the file: {said[:300]!r}")
        if (
            strange := set(_WORD.findall(_SUGGESTED.sub("", _HEXADECIMAL.sub("", said))))
            - _words()
            - _LIBRARY
            - ours
        ):
            raise BrokenLaw(f"a problem holds words that are not ours: {sorted(strange)!r}")


@cache
def _words() -> frozenset[str]:
    """Return all words that stand in the program: what problems are made of."""
    folder = Path(clearbar.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in (folder / "spend").rglob("*.py")]
    words = set(_WORD.findall("\n".join(texts)))
    snakes = {name for text in texts for name in re.findall(r"[a-z]+(?:_[a-z]+)+", text)}
    camels = {re.sub("_([a-z])", lambda found: found[1].upper(), name) for name in snakes}
    return frozenset(words | camels | {word.capitalize() for word in words})


def _known_by(file: SourceFile) -> Source | None:
    """Return the source that takes a file; all are asked, for none may fail."""
    known = [source for source in SOURCES if source.recognises(file)]
    return known[0] if known else None


def _named(name: str) -> Source | None:
    return next((source for source in SOURCES if source.NAME == name != "table"), None)


def _check_cost(path: Path, cpu_s: float, records: int) -> None:
    most_s = CPU_S + CPU_S_PER_RECORD * records
    if cpu_s > most_s and cpu_s > most_s + CPU_S_PER_MB * size_of(path) / 1e6:
        raise BrokenLaw(f"it takes {cpu_s:.1f} s")
    if peak_mb() > PEAK_MB:
        raise BrokenLaw(f"the process takes {peak_mb():.0f} MB")


def size_of(path: Path) -> int:
    """Return how many bytes a file holds once it is decompressed, as far as one is read."""
    size = 0
    try:
        with SourceFile(path, b"").open() as stream:
            while (block := stream.read(1 << 20)) and size < MAX_DOCUMENT_BYTES:
                size += len(block)
    except Exception:  # noqa: BLE001 - of damaged ones, what can be read
        return size
    return size


def peak_mb() -> float:
    """Return the peak memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def told(error: BaseException) -> str:
    """Return an error with the last places of it, in one line of JSON text."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return json.dumps(f"{type(error).__name__}: {str(error)[:400]} <- {' <- '.join(places[::-1])}")
