"""Who called, as AWS names it: a user, or a role and the session that took it on."""

from __future__ import annotations

from typing import Final, NamedTuple

_SINGLE_SIGN_ON: Final = "AWSReservedSSO_"


class Caller(NamedTuple):
    """A caller's name, and the session in which a role acted."""

    principal: str = ""
    session: str = ""


def caller(arn: str) -> Caller:
    """Return who an ARN means; empty for none.

    A session of single sign-on, or one named by a mail address, is a person: that is then the
    principal. Any other session is one of very many that a role has, named at random by machines.
    """
    resource = arn.rpartition(":")[2]
    kind, _, path = resource.partition("/")
    if not path:
        return Caller(resource)
    if kind != "assumed-role":
        return Caller(path.rpartition("/")[2])
    role, _, session = path.partition("/")
    if session and (role.startswith(_SINGLE_SIGN_ON) or "@" in session):
        return Caller(session, session)
    return Caller(role, session)
