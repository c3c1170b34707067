"""Through what a person acts: the token that a request has shown, for the audit.

A name that a caller gives proves nothing; the token that lets it in does.
"""

from __future__ import annotations

from contextvars import ContextVar

_TOKEN: ContextVar[str] = ContextVar("token", default="")


def acts_through(token: str) -> None:
    """Note whose token the request of this task has shown; empty for none."""
    _TOKEN.set(token)


def signed(author: str) -> str:
    """Return a name with the token it came by: ``ann (noc-wall)``."""
    token = _TOKEN.get()
    said = author.strip()
    if said in {"", token}:
        return token
    return said if not token or said.endswith(f"({token})") else f"{said} ({token})"
