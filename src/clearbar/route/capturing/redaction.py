"""What is taken out of a text before it is kept: whatever the declared patterns match. Pure.

A pattern that repeats a repetition is refused, as in a file of rules. That does not catch every one
that takes for ever, so `writer.py` gives each request a time limit as well, and what exceeds it is
not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.core.toml_table import Faults, Place
from clearbar.tools.rule_file import REGEX

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

REDACTED: Final = "[redacted]"
MAX_CHARACTERS: Final = 1_000_000
"""Of one text; a longer one is not kept."""


def compiled(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Return the patterns, as Python reads them.

    Raises:
        ClearbarError: when one is no regular expression, may take for ever, or matches nothing at
            all, everywhere.
    """
    nowhere = Place(Faults("", ""))
    found = tuple(REGEX.read(pattern, nowhere) for pattern in patterns)
    for pattern in found:
        if pattern.search("") is not None:
            raise ClearbarError(
                "a pattern to redact matches the empty text", "let it match a character at least"
            )
    return found


def redacted(text: str, patterns: Iterable[re.Pattern[str]]) -> str:
    """Return the text with `[redacted]` for whatever a pattern matches, in the patterns' order."""
    for pattern in patterns:
        text = pattern.sub(REDACTED, text)
    return text
