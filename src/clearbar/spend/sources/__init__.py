"""The formats that Clearbar reads, one file each. A source never prices and never stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from clearbar.spend.sources import (
    anthropic_answers,
    anthropic_console,
    anthropic_costs,
    anthropic_usage,
    aws_cur,
    azure_apim,
    bedrock,
    claude_code,
    codex,
    codex_exec,
    copilot_billing,
    cursor,
    focus,
    gcp_billing,
    gemini_cli,
    helicone,
    langfuse,
    litellm,
    openai_answers,
    openai_costs,
    openai_usage,
    opencode,
    openrouter,
    openrouter_activity,
    otlp,
    table,
    withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.charge import Record
    from clearbar.spend.files.entry import Note
    from clearbar.spend.files.source_file import SourceFile


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

    def read(self, file: SourceFile) -> Iterator[Record | Problem | Note]:
        """Yield what the file tells, what of it cannot be trusted, and what is worth knowing."""
        ...


SOURCES: Final[tuple[Source, ...]] = (
    table,
    codex,
    codex_exec,
    gemini_cli,
    azure_apim,
    bedrock,
    claude_code,
    litellm,
    openai_usage,
    otlp,
    langfuse,
    helicone,
    openrouter,
    openrouter_activity,
    withdrawn,
    aws_cur,
    focus,
    gcp_billing,
    openai_costs,
    anthropic_usage,
    anthropic_costs,
    anthropic_console,
    anthropic_answers,
    openai_answers,
    cursor,
    copilot_billing,
    opencode,
)
"""The first that recognises a file reads it."""
