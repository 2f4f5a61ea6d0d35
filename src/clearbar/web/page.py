"""What every page shares: its parts from the package, and the hashes that its policy allows."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files


def source_of(name: str) -> str:
    """Return a template, style or script of the package, without its indentation."""
    text = files("clearbar.web").joinpath("templates", name).read_text(encoding="utf-8")
    return re.sub(r"\n\s*", "\n", text)


def digest_of(text: str) -> str:
    """Return the hash by which a content security policy names an inline style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
