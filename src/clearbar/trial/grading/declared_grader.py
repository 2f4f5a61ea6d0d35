"""The grader that a trial declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.trial.grading import compared_graders, outside_graders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.tools.tool import Tool
    from clearbar.trial.grading.grade_settings import GradeSettings
    from clearbar.trial.grading.grader import Asker, Grader


def make_grader(
    settings: GradeSettings,
    asker: Asker | None = None,
    folder: Path | None = None,
    tools: Mapping[str, Tool] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Grader:
    """Return the grader that the settings declare.

    `folder` is that of clearbar.toml, where schemas, commands and callables are looked for.
    `asker` and `tools` are needed by a judge. `environment` is what a command may see of.

    Raises:
        ClearbarError: when a schema, a callable or the tool that judges is not there or no good.
    """
    grader = compared_graders.make(settings, folder)
    if grader is not None:
        return grader
    return outside_graders.make(settings, asker, folder, tools or {}, environment or {})
