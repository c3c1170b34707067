"""Asks a running engine over HTTP what a person may do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import aiohttp

from playwatch.core.decisions import Remark, RemarkKind
from playwatch.errors import EngineError, Mistake
from playwatch.web.documents import at_of, request_document, silence_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwatch.core.silences import Silence
    from playwatch.runtime.desk import SilenceRequest

_PATIENCE_S: Final = 30.0
_NOT_FOUND: Final = 404

_PAGE: Final = 1_000


class RemoteDesk:
    """A `Desk` of a running engine; see `at_engine`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def silence(self, request: SilenceRequest) -> Silence:
        """Begin a silence."""
        answer = await self.ask("POST", "/api/v1/silences", request_document(request))
        return silence_of(_there(answer))

    async def expire(self, silence_id: str, author: str = "") -> Silence | None:
        """End a silence now."""
        path = f"/api/v1/silences/{quote(silence_id, safe='')}"
        query = f"?author={quote(author, safe='')}" if author else ""
        answer = await self.ask("DELETE", path + query)
        return None if answer is None else silence_of(answer)

    async def silences(self, *, with_ended: bool = False) -> list[Silence]:
        """Return the silences in force and to come, or all that ever were."""
        found: list[Silence] = []
        while True:
            query = f"limit={_PAGE}&offset={len(found)}{'&all' if with_ended else ''}"
            page = _there(await self.ask("GET", f"/api/v1/silences?{query}"))
            found += [silence_of(one) for one in page]
            if len(page) < _PAGE:
                return found

    async def remark(
        self, incident_id: str, kind: RemarkKind, author: str, text: str
    ) -> Remark | None:
        """Acknowledge an incident or add a note to it."""
        is_note = kind is RemarkKind.NOTE
        verb, name = ("note", "text") if is_note else ("ack", "comment")
        path = f"/api/v1/incidents/{quote(incident_id, safe='')}/{verb}"
        answer = await self.ask("POST", path, {"author": author, name: text})
        if answer is None:
            return None
        return Remark(answer["incident_id"], at_of(answer["at"]), kind, author, answer["text"])

    async def resolve(self, incident_id: str, author: str) -> str | None:
        """Close an open incident by hand; return how it stands then."""
        path = f"/api/v1/incidents/{quote(incident_id, safe='')}/resolve"
        answer = await self.ask("POST", path, {"author": author})
        return None if answer is None else f"{answer['status']}: {answer['reason']}"

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return what the engine answers; None when it knows no such thing."""
        try:
            async with self._session.request(
                method, self._url + path, json=body, allow_redirects=False
            ) as answer:
                document = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError, UnicodeError) as error:
            message = f"the engine at {self._url} does not answer: {str(error) or 'time-out'}"
            raise EngineError(message) from error
        if answer.status == _NOT_FOUND and isinstance(document, dict):
            return None
        if not answer.ok or document is None:
            facts = document if isinstance(document, dict) else {}
            detail = facts.get("detail") or f"{answer.status} {answer.reason}"
            hint = f" ({facts['hint']})" if facts.get("hint") else ""
            lines = [f"\n  {_mistake(one)}" for one in facts.get("errors", ())]
            message = f"the engine at {self._url} refuses: {detail}{hint}{''.join(lines)}"
            raise EngineError(message)
        return document


@asynccontextmanager
async def at_engine(
    url: str, token: str, certificate: bytes | None = None
) -> AsyncIterator[RemoteDesk]:
    """Yield the desk of an engine while the context lasts; nothing is sent yet.

    Parameters
    ----------
    url
        Where its web server listens.
    token
        One with role ``write``; empty to send none.
    certificate
        The certificate it must show (DER), whatever its name and issuer; by
        default one that this machine's authorities vouch for.
    """
    pin = None if certificate is None else aiohttp.Fingerprint(sha256(certificate).digest())
    connector = aiohttp.TCPConnector(ssl=True if pin is None else pin)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, connector=connector
    ) as session:
        yield RemoteDesk(session, url)


def _mistake(one: dict[str, str]) -> str:
    """Return one of several mistakes in words."""
    return str(
        Mistake(one.get("pointer", "").removeprefix("#"), one["detail"], one.get("hint", ""))
    )


def _there(answer: Any) -> Any:  # noqa: ANN401 - JSON
    if answer is None:
        message = "the engine does not know this request: it may be an older version"
        raise EngineError(message)
    return answer
