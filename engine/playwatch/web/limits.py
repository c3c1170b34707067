"""What one client may ask of the server before it is told off or dropped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many may connect, and how long and how much each may take.

    Attributes
    ----------
    connections
        More clients than this are dropped at once.
    idle_s
        For the head of a request, the first and each next one.
    body_s, body_bytes
        For what a request brings.
    unread_s
        How long a client may leave what it was sent unread.
    """

    connections: int = 512
    idle_s: float = 30.0
    body_s: float = 10.0
    body_bytes: int = 64 * 1024
    unread_s: float = 30.0
