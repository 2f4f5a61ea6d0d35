"""Editions of the price book: all that a price follows from, kept, so that it can be made again.

An edition names the file of the library's rates and holds the rules that were laid over them. It is
written once, when a book is first opened with them, and never changed: `FILE.DIGEST.json`.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.errors import ClearbarError, UnknownName
from clearbar.spend.prices.agreements import NO_AGREEMENTS, Agreements
from clearbar.spend.prices.price_gaps import gaps_text
from clearbar.spend.prices.price_override import PriceOverride  # noqa: TC001 - msgspec reads annotations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT: Final = 1
"""Raised when the columns of a file of rates, or the way in which models are found, change."""
_MOST_BYTES: Final = 20_000_000
_ENDING: Final = ".json"
_NAMES: Final = ".models.json"


class Edition(msgspec.Struct, frozen=True):
    """What a price book is made of."""

    version: str
    rates: str
    """The name of its file of rates, beside the edition."""
    gaps: str = ""
    """The text of price_gaps.toml at that time."""
    overrides: tuple[PriceOverride, ...] = ()
    agreements: Agreements = NO_AGREEMENTS

    @property
    def file_name(self) -> str:
        """The name of the file that it is kept in."""
        return f"{self.rates.removesuffix('.parquet')}.{self.version.rpartition('+')[2]}{_ENDING}"


def edition_now(overrides: Sequence[PriceOverride], agreements: Agreements) -> Edition:
    """Return the edition of the library that is installed, with these rules."""
    library = version_of("genai-prices")
    slug = "".join(char if char.isalnum() or char == "." else "-" for char in library.lower())
    return _edition(
        f"genai-prices {library}",
        f"genai-prices-{slug}-{FORMAT}.parquet",
        overrides,
        agreements,
        str(FORMAT),
    )


def keep(edition: Edition, folder: Path) -> tuple[Path, bytes] | None:
    """Return the file to write, and what into it; None where it is there already."""
    path = folder / edition.file_name
    return None if path.exists() else (path, msgspec.json.encode(edition))


def find_edition(
    wanted: str,
    folder: Path,
    beside: Path,
    overrides: Sequence[PriceOverride],
    agreements: Agreements,
) -> tuple[Path, Edition]:
    """Return the folder and the edition that somebody names.

    `wanted` is a version kept in `folder`, or the first part of one that no other has; or a path,
    absolute or relative to `beside`: an edition's file, a folder with one edition, or a file of
    rates, over which the overrides and agreements of today are laid.

    Raises:
        UnknownName: when there is none, or more than one.
        ClearbarError: when a file is no edition.
    """
    path = beside / wanted
    if path.is_dir():
        return path, _with_rates(path, _only(editions(path), wanted))
    if path.is_file():
        if path.suffix == ".parquet":
            return path.parent, _of_rates(path, overrides, agreements)
        return path.parent, read_edition(path)
    kept = editions(folder)
    exact = [each for each in kept if each.version == wanted]
    found = exact or [each for each in kept if _is_meant(each, wanted)]
    return folder, _with_rates(folder, _only(found, wanted, kept))


def editions(folder: Path) -> list[Edition]:
    """Return the editions that a folder holds, by version; other files in it are passed over."""
    paths = sorted(folder.glob(f"*{_ENDING}"))
    decoded = [_decoded(path) for path in paths if not path.name.endswith(_NAMES)]
    found = [edition for edition in decoded if edition is not None]
    return sorted(found, key=lambda edition: edition.version)


def read_edition(path: Path) -> Edition:
    """Return the edition in a file.

    Raises:
        ClearbarError: when the file is none, or its rates are gone.
    """
    edition = _decoded(path)
    if edition is None:
        what = f"{path.name} is no edition of the price book"
        raise ClearbarError(what, "give one of .clearbar/prices")
    return _with_rates(path.parent, edition)


def _decoded(path: Path) -> Edition | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=Edition)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None


def _with_rates(folder: Path, edition: Edition) -> Edition:
    """Return an edition whose file of rates stands in its folder, and nowhere else."""
    rates = folder / edition.rates
    if rates.parent != folder or not rates.is_file():
        raise ClearbarError(
            f"{edition.version} has lost its rates", f"put {rates.name} beside it, then run again"
        )
    return edition


def _of_rates(path: Path, overrides: Sequence[PriceOverride], agreements: Agreements) -> Edition:
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    return _edition(path.stem, path.name, overrides, agreements, content)


def _edition(
    name: str,
    rates: str,
    overrides: Sequence[PriceOverride],
    agreements: Agreements,
    content: str,
) -> Edition:
    gaps = gaps_text()
    rules = f"{content}\n{gaps}\n{list(overrides)!r}"
    if agreements != NO_AGREEMENTS:
        rules += repr(agreements)
    digest = hashlib.sha256(rules.encode()).hexdigest()[:8]
    return Edition(f"{name}+{digest}", rates, gaps, tuple(overrides), agreements)


def _is_meant(edition: Edition, wanted: str) -> bool:
    """Return whether a version, or its digest, begins as somebody says."""
    said = wanted.lower()
    return bool(said) and any(
        part.lower().startswith(said)
        for part in (edition.version, *edition.version.split(" "), edition.version.split("+")[-1])
    )


def _only(found: Sequence[Edition], wanted: str, known: Sequence[Edition] = ()) -> Edition:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(each.version for each in (found or known)) or "none is kept yet"
    what = f"{len(found)} editions are called" if found else "there is no edition of the price book"
    raise UnknownName(f'{what} "{wanted}"', f"there are: {listed}")
