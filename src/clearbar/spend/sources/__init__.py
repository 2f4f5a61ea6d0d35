"""The formats that Clearbar reads, one file each. A source never prices and never stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from clearbar.spend.sources import claude_code, litellm, openai_usage, otlp, table, withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.charge import Record
    from clearbar.spend.source_file import SourceFile


class Source(Protocol):
    """A module that knows one format; its docstring describes the format and its traps."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """How the source is called everywhere."""
        ...

    @property
    def PARSER_VERSION(self) -> int:  # noqa: N802 - a module's constant
        """Raised whenever the same file would give other records; files are then read again."""
        ...

    @property
    def TITLE(self) -> str:  # noqa: N802 - a module's constant
        """What it reads, for people."""
        ...

    @property
    def WHERE(self) -> str:  # noqa: N802 - a module's constant
        """Where its files are found."""
        ...

    @property
    def CONVENTION(self) -> str:  # noqa: N802 - a module's constant
        """How cached and reasoning tokens are counted, in plain words."""
        ...

    def recognises(self, file: SourceFile) -> bool:
        """Return whether the file is of this format, judging by its name and first bytes."""
        ...

    def read(self, file: SourceFile) -> Iterator[Record | Problem]:
        """Yield what the file tells, and what of it cannot be trusted."""
        ...


SOURCES: Final[tuple[Source, ...]] = (table, claude_code, litellm, openai_usage, otlp, withdrawn)
"""The first that recognises a file reads it."""
