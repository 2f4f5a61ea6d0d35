"""JSON objects, and all the ways to write them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
objects = st.dictionaries(st.text(max_size=20), values, max_size=8)
blanks = st.text(alphabet=" \t\n\r", max_size=3)


@st.composite
def spelled(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An object, and one of the ways to write it."""
    value = draw(objects)
    ascii_only, between = draw(st.booleans()), draw(st.booleans())
    parts = []
    for name, member in value.items():
        written = json.dumps(name, ensure_ascii=ascii_only)
        if name and name[0].isalpha() and draw(st.booleans()) and ord(name[0]) < 0x10000:
            written = f'"\\u{ord(name[0]):04x}' + json.dumps(name[1:])[1:]
        text = json.dumps(member, ensure_ascii=ascii_only, indent=1 if between else None)
        parts.append(f"{draw(blanks)}{written}{draw(blanks)}:{draw(blanks)}{text}{draw(blanks)}")
    opened = draw(blanks) + "{" + (draw(blanks) if not parts else "")
    payload = opened + ",".join(parts) + "}" + draw(blanks)
    return value, payload.encode("utf-8", "surrogatepass")
