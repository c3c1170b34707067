"""Receivers of webhooks on a loopback port: strict, stateful, able to fail on request."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakSet

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from playwatch.demo.event_checks import event_in
from playwatch.demo.fault_effects import answer_with, status_of
from playwatch.demo.listener import Listener
from playwatch.demo.pagerduty_faults import FaultKind, FaultScript, faults_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from playwatch.demo.event_checks import Event

_ACTIONS: Final = {"incident.triggered": "trigger", "incident.resolved": "resolve"}
_DEDUP_KEY: Final = re.compile(r"playwatch/[0-9a-z]+")


@dataclass(frozen=True, slots=True)
class Read:
    """What a receiver makes of one request: an event, or why there is none."""

    status: int
    action: str = ""
    dedup_key: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    action: str
    dedup_key: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


class HookReceiver:
    """Takes POSTs at any path; opens and resolves by what the reader finds in them."""

    def __init__(self, read: Callable[[Mapping[str, str], bytes], Read]) -> None:
        self._read = read
        self._listener: Listener | None = None
        self._port = 0
        self._stale: WeakSet[asyncio.Transport] = WeakSet()
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self.faults = FaultScript()
        self.journal: list[Heard] = []
        self.open_keys: set[str] = set()
        self.triggers = 0
        self.resolves = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def requests(self) -> int:
        return len(self.journal)

    def fail(self, kind: FaultKind | str, **how: object) -> None:
        name = kind.value if isinstance(kind, FaultKind) else kind
        self.faults.add(*faults_in({"kind": name, **how}))

    async def wait_for_events(self, count: int) -> None:
        if self.requests < count:
            future = asyncio.get_running_loop().create_future()
            self._waiters.append((count, future))
            await future

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**21)
        app.router.add_post("/{path:.*}", self._take)
        self._listener = Listener("the receiver", app, 500)
        self._port = await self._listener.start("127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            await self._listener.close()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        read = self._read(request.headers, body)
        heard = Heard(request.path, dict(request.headers), body, read.action, read.dedup_key)
        self.journal.append(heard)
        for count, future in self._waiters:
            if count <= self.requests and not future.done():
                future.set_result(None)
        transport = request.transport
        assert transport is not None
        if transport in self._stale:
            transport.close()
            return web.Response()
        fault = self.faults.next_for({"event_action": read.action, "dedup_key": read.dedup_key})
        if fault is None or fault.kind.is_ingested:
            self._ingest(read)
        if fault is None:
            return web.Response(status=read.status, text=read.problem or "ok")
        if fault.kind is FaultKind.STALE:
            self._stale.add(transport)
        told: Event = {"ok": True}
        return await answer_with(fault, request, status_of(fault) or read.status, told)

    def _ingest(self, read: Read) -> None:
        if read.problem:
            return
        if read.action == "trigger":
            self.triggers += 1
            self.open_keys.add(read.dedup_key)
        else:
            self.resolves += 1
            self.open_keys.discard(read.dedup_key)


def reads_webhooks(secret: str) -> Callable[[Mapping[str, str], bytes], Read]:
    """Return a reader that takes what the reference library verifies."""
    judge = Webhook(secret)

    def read(headers: Mapping[str, str], body: bytes) -> Read:
        try:
            document = judge.verify(body, dict(headers))
        except WebhookVerificationError as error:
            return Read(400, problem=str(error))
        data = document["data"]
        return Read(200, _ACTIONS[document["type"]], data["dedup_key"])

    return read


def read_slack(_headers: Mapping[str, str], body: bytes) -> Read:
    """Take what keeps Slack's documented limits."""
    message: dict[str, Any] | None = event_in(body)
    if message is None:
        return Read(400, problem="invalid_payload")
    if problem := _slack_problem(message):
        return Read(400, problem=problem)
    action = "resolve" if message["text"].startswith("✅") else "trigger"
    found = _DEDUP_KEY.search(json.dumps(message.get("blocks", "")))
    return Read(200, action, found[0] if found else "")


def _slack_problem(message: dict[str, Any]) -> str:
    texts = [{"type": "mrkdwn", "text": message.get("text", "")}]
    blocks = message.get("blocks", [])
    for block in blocks:
        parts = [block["text"]] if "text" in block else []
        fields = block.get("fields", block.get("elements", []))
        if len(fields) > 10 or not (parts or fields):
            return "invalid_blocks"
        if any(len(part["text"]) > 2_000 for part in fields):
            return "invalid_blocks"
        texts += parts + fields
    if len(blocks) > 50 or any(not 0 < len(part["text"]) <= 3_000 for part in texts):
        return "invalid_blocks"
    links = re.compile(r"<https?://[^<>|\s]+\|(Incident|Runbook)>")
    for part in texts:
        bare = links.sub("", part["text"]) if part["type"] == "mrkdwn" else part["text"]
        if re.search(r"[<>]|&(?!amp;|lt;|gt;)", bare):
            return "invalid_blocks"
    return ""
