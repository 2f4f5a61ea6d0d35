"""Rewrite what the program itself says in the docs; with `--check`, say what would change.

    python docs/generate.py                        rewrite all
    python docs/generate.py --check                exit 1 with a diff if anything would change
    python docs/generate.py --check docs/tutorial.md README.md

The pages of docs/reference are made here from the program. In the other pages, blocks that are
marked for it are run in a temporary folder: see walkthrough.py. Pages of docs/how-to begin in the
folder of the sample company, with its usage read; the others in an empty one.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reference_pages import PAGES
from walkthrough import Step, refreshed, run, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parent.parent
REFERENCE: Final = ROOT / "docs" / "reference"
HOW_TO: Final = ROOT / "docs" / "how-to"
_SAMPLE: Final = "clearbar init --demo . && clearbar report usage"


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Rewrite what the program says in the docs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a change")
    parser.add_argument("pages", nargs="*", type=Path, help="only these pages or folders")
    given = parser.parse_args()
    wanted = [page.resolve() for page in given.pages]
    changed = [page for page, text in pages(wanted) if _settle(page, text, check=given.check)]
    for page in changed:
        print(f"{'would change' if given.check else 'wrote'} {page.relative_to(ROOT)}")
    return 1 if changed and given.check else 0


def pages(wanted: Sequence[Path] = ()) -> Iterator[tuple[Path, str]]:
    """Yield each page with what should stand in it; only those in `wanted`, if any are named."""
    for name, make in PAGES.items():
        if _is_wanted(REFERENCE / name, wanted):
            yield REFERENCE / name, make()
    with tempfile.TemporaryDirectory(prefix="clearbar-docs-") as scratch:
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
            text = page.read_text(encoding="utf-8") if _is_wanted(page, wanted) else ""
            if steps_of(text):
                yield page, refreshed(text, _place(Path(scratch), page))


def _place(scratch: Path, page: Path) -> Path:
    """Return a fresh folder at the same path each time, so that a copied ledger finds its files."""
    place, sample = scratch / "work", scratch / "sample"
    shutil.rmtree(place, ignore_errors=True)
    if page.parent != HOW_TO:
        place.mkdir()
        return place
    if not sample.exists():
        place.mkdir()
        run([Step("run", "", _SAMPLE)], place)
        place.rename(sample)
    shutil.copytree(sample, place)
    return place


def _is_wanted(page: Path, wanted: Sequence[Path]) -> bool:
    return not wanted or any(page.is_relative_to(each) for each in wanted)


def _settle(page: Path, text: str, *, check: bool) -> bool:
    """Write the page, or print the difference; return whether there is one."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    if before == text:
        return False
    if check:
        names = (f"{page.name} as it stands", f"{page.name} as the program says")
        diff = difflib.unified_diff(before.splitlines(), text.splitlines(), *names, lineterm="")
        print("\n".join(diff))
    else:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
