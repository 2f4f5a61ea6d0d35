"""A real git repository, made by git itself, with its clock set by hand."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


class Repository:
    """A repository with a main branch and one commit."""

    def __init__(self, folder: Path, began: datetime) -> None:
        folder.mkdir()
        self.folder = folder
        self.git("init", "-q", "-b", "main", at=began)
        self.commit("README", began)

    def git(self, *words: str, at: datetime) -> str:
        stamp = at.isoformat()
        who = {"NAME": "maintainer", "EMAIL": "maintainer@example.com", "DATE": stamp}
        said = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in who.items()
        }
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **said}
        return subprocess.run(
            ["git", "-C", str(self.folder), *words],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, path: str, at: datetime, message: str = "work") -> str:
        """Write a file and commit it; return the commit."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(at.isoformat())
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "-m", message, at=at)
        return self.git("rev-parse", "HEAD", at=at)

    def branch(self, name: str, path: str, at: datetime) -> str:
        """Commit a file on a new branch, and leave it; return the commit."""
        self.git("checkout", "-q", "-b", name, at=at)
        commit = self.commit(path, at)
        self.git("checkout", "-q", "main", at=at)
        return commit

    def merge(self, name: str, at: datetime, message: str = "") -> str:
        """Merge a branch by a commit of its own; return that."""
        said = message or f"Merge branch '{name}'"
        self.git("merge", "-q", "--no-ff", "-m", said, name, at=at)
        return self.git("rev-parse", "HEAD", at=at)

    def revert(self, commit: str, at: datetime) -> str:
        """Take a change back; return the commit that does."""
        parents = self.git("rev-list", "--parents", "-n", "1", commit, at=at).split()[1:]
        mainline = ("-m", "1") if len(parents) > 1 else ()
        self.git("revert", "--no-edit", *mainline, commit, at=at)
        return self.git("rev-parse", "HEAD", at=at)
