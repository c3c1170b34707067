"""What every notification channel must do; a new one is tested by a `Subject`."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from pydantic import SecretStr

from playwatch.channels.console import ConsoleChannel
from playwatch.channels.http import PostLimits
from playwatch.channels.pagerduty import PagerDutyChannel
from playwatch.channels.slack import SlackChannel
from playwatch.channels.webhook import WebhookChannel
from playwatch.config.hooks import SlackSettings, WebhookSettings
from playwatch.config.schema import ConsoleSettings, PagerDutySettings
from playwatch.core.deliveries import (
    Action,
    Delivery,
    Misconfigured,
    Rejected,
    Retry,
    Sent,
)
from playwatch.core.incidents import Incident, Status
from playwatch.core.rules import AlertType, Severity
from playwatch.demo.stand_in import StandIn
from playwatch.runtime.clock import SystemClock
from tests.fakes import HandClock
from tests.kit.receivers import HookReceiver, read_slack, reads_webhooks
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwatch.config.channels import ChannelSettings
    from playwatch.core.deliveries import Attempt
    from playwatch.ports import Channel

KEY = "0123456789abcdefSECRETkey9876543"
SIGNING_SECRET = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes....").decode()
SLACK_PATH = "/services/T00000000/B00000000/SECRETtokenOfTheWebhook1"
STARTED_AT = 1_800_000_000_000
PATIENT = PostLimits(total=PATIENCE_S, connect=PATIENCE_S, answer=PATIENCE_S)
"""For a receiver that answers: however slow the machine is, its answer is never missed."""
UNREACHABLE = replace(PATIENT, connect=0.3)
"""For an address where nobody can be reached."""
SILENCE = replace(PATIENT, total=0.2)
"""For an answer that never comes; connecting may take its time."""
HALF_AN_ANSWER = replace(PATIENT, answer=0.1)
"""For a body that never ends."""


def an_incident(**changes: object) -> Incident:
    """Return an open incident about playback failures in Germany."""
    incident = Incident(
        id="a1b2c3d4e5f6",
        incident_key="f" * 64,
        rule="playback-failures",
        scope="0" * 16,
        alert_type=AlertType.THRESHOLD,
        status=Status.OPEN,
        severity=Severity.CRITICAL,
        measurement="playback_failure_percentage",
        unit="%",
        breakdowns=(("country", "DE"), ("cdn", "fastly")),
        measured_value=7.4,
        peak_value=9.1,
        threshold=5.0,
        bound="> 5",
        sample_size=1000,
        affected_viewers=74,
        started_at=STARTED_AT,
        opened_at=STARTED_AT + 120_000,
        window_s=60.0,
        runbook="https://example.com/runbooks/playback-failures",
    )
    return replace(incident, **changes)  # type: ignore[arg-type] # tests name real fields


def a_delivery(
    incident: Incident | None = None,
    action: Action = Action.TRIGGER,
    key_fingerprint: str = "",
) -> Delivery:
    """Return a delivery about an incident."""
    about = incident or an_incident()
    return Delivery(
        id=f"{about.id}-{action.value}",
        incident=about,
        channel="on-call",
        key_fingerprint=key_fingerprint,
        action=action,
        dedup_key=about.dedup_key,
        created_at=about.opened_at,
    )


def its_resolve(delivery: Delivery) -> Delivery:
    """Return the resolve that follows a trigger ten minutes later."""
    later = delivery.incident.started_at + 600_000
    ended = delivery.incident.ended(
        Status.CLOSED, reason="recovered", resolved_at=later, ended_at=later, value=1.2
    )
    return replace(delivery, incident=ended, action=Action.RESOLVE)


def _lenient_stand_in() -> StandIn:
    return StandIn(rate_limit=None)


@dataclass(frozen=True, slots=True)
class Subject:
    """A channel under test.

    Attributes
    ----------
    settings
        Settings for a receiver's URL, unchecked: a channel stands its ground
        without the checks.
    open_with
        Opens it for a receiver's URL with limits.
    receiver
        What it sends to, still closed.
    secret
        A text that must never be told.
    key
        What its fingerprint is of, for a receiver's URL.
    differs
        Outcomes by name that are not those of the table.
    """

    service: str
    settings: Callable[[str], ChannelSettings]
    open_with: Callable[[str, PostLimits], Channel]
    receiver: Callable[[], StandIn | HookReceiver] = _lenient_stand_in
    secret: str = ""
    key: Callable[[str], str] = lambda _: ""
    differs: Mapping[str, type[Attempt]] = field(default_factory=dict)

    def open(self, url: str, limits: PostLimits = PATIENT) -> Channel:
        return self.open_with(url, limits)


def pagerduty_settings(url: str | None, key: str = KEY, region: str = "us") -> PagerDutySettings:
    """Return settings unchecked: a channel stands its ground without the checks."""
    return PagerDutySettings.model_construct(
        name="on-call",
        service="pagerduty",
        integration_key=SecretStr(key),
        region=region,
        url=url,
    )


def webhook_settings(
    url: str, secret: str = SIGNING_SECRET, headers: Mapping[str, str] | None = None
) -> WebhookSettings:
    """Return settings unchecked."""
    return WebhookSettings.model_construct(
        name="on-call",
        service="webhook",
        url=SecretStr(url),
        secret=SecretStr(secret),
        headers={name: SecretStr(value) for name, value in (headers or {}).items()},
    )


def slack_settings(url: str) -> SlackSettings:
    """Return settings unchecked."""
    return SlackSettings.model_construct(
        name="on-call", service="slack", webhook_url=SecretStr(url)
    )


def console_settings(_url: str = "") -> ConsoleSettings:
    """Return settings unchecked."""
    return ConsoleSettings.model_construct(name="on-call", service="console")


def _pagerduty(url: str, limits: PostLimits) -> Channel:
    return PagerDutyChannel(pagerduty_settings(url), clock=HandClock(), limits=limits)


def _webhook(url: str, limits: PostLimits) -> Channel:
    # The reference library compares the moment of the attempt with the true time.
    return WebhookChannel(webhook_settings(url), clock=SystemClock(), limits=limits)


def _slack(url: str, limits: PostLimits) -> Channel:
    return SlackChannel(slack_settings(url + SLACK_PATH), clock=HandClock(), limits=limits)


def _console(url: str, _limits: PostLimits) -> Channel:
    return ConsoleChannel(console_settings(url), io.StringIO())


PAGERDUTY = Subject("pagerduty", pagerduty_settings, _pagerduty, secret=KEY, key=lambda _: KEY)
WEBHOOK = Subject(
    "webhook",
    webhook_settings,
    _webhook,
    lambda: HookReceiver(reads_webhooks(SIGNING_SECRET)),
    secret=SIGNING_SECRET,
    key=lambda url: url,
    differs={"200": Sent, "201": Sent, "204": Sent, "html": Sent},
)
SLACK = Subject(
    "slack",
    lambda url: slack_settings(url + SLACK_PATH),
    _slack,
    lambda: HookReceiver(read_slack),
    secret=SLACK_PATH.rpartition("/")[2],
    key=lambda url: url + SLACK_PATH,
    differs={"200": Sent},
)
CONSOLE = Subject("console", console_settings, _console)
HTTP_CHANNELS = (PAGERDUTY, WEBHOOK, SLACK)
CHANNELS = (*HTTP_CHANNELS, CONSOLE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a receiver does to one request, and what the channel makes of it."""

    name: str
    fault: dict[str, object]
    expected: type[Attempt]
    facts: dict[str, object] = field(default_factory=dict)
    limits: PostLimits = PATIENT

    def __str__(self) -> str:
        return self.name


def _status(status: int, expected: type[Attempt], **facts: object) -> Outcome:
    fault: dict[str, object] = {"kind": "status", "status": status}
    return Outcome(str(status), fault, expected, facts)


_AMBIGUOUS: dict[str, object] = {"is_ambiguous": True}

OUTCOMES = (
    *(_status(status, Misconfigured) for status in (200, 201, 204, 301, 302, 307, 308)),
    *(_status(status, Misconfigured) for status in (401, 403, 404, 405, 407, 410, 451)),
    *(_status(status, Rejected) for status in (400, 413, 422)),
    *(_status(status, Retry, is_rate_limit=False, after_s=None) for status in (408, 425)),
    *(_status(status, Retry, is_ambiguous=False) for status in (500, 503, 599)),
    *(_status(status, Retry, is_ambiguous=True) for status in (502, 504)),
    _status(429, Retry, is_rate_limit=True, after_s=None),
    Outcome("hang", {"kind": "hang"}, Retry, _AMBIGUOUS, SILENCE),
    Outcome("accept then hang", {"kind": "accept_then_hang"}, Retry, _AMBIGUOUS, SILENCE),
    Outcome("slow headers", {"kind": "slow_headers"}, Retry, _AMBIGUOUS, SILENCE),
    Outcome("reset", {"kind": "reset"}, Retry, _AMBIGUOUS),
    Outcome("accept then reset", {"kind": "accept_then_reset"}, Retry, _AMBIGUOUS),
    Outcome("garbage", {"kind": "garbage"}, Retry, _AMBIGUOUS),
    Outcome("html", {"kind": "html"}, Misconfigured),
    Outcome("redirect", {"kind": "redirect", "location": "/elsewhere"}, Misconfigured),
    Outcome("reset in body", {"kind": "reset_in_body"}, Sent),
    Outcome("short body", {"kind": "short_body"}, Sent),
    Outcome("slow body", {"kind": "slow_body"}, Sent, limits=HALF_AN_ANSWER),
    Outcome("close", {"kind": "close"}, Sent),
)


def words_of(attempt: Attempt) -> str:
    """Return the text that an attempt tells."""
    return attempt.answer if isinstance(attempt, Sent) else attempt.reason


_TEXTS = st.one_of(
    st.text(alphabet=st.characters(), max_size=40),
    st.sampled_from(
        (
            "",
            "\x00\x1b[31m\r\n",
            "\ud800lone",
            "e" + "\u0301" * 300,
            "👩‍👩‍👧‍👦" * 200,
            "x" * 20_000,
            '"\\' * 5_000,
            "<script>alert(1)</script>",
        )
    ),
)
_NUMBERS = st.floats() | st.sampled_from((float("nan"), float("inf"), -0.0, 1e308, 5e-324))
_TIMES = st.integers(0, 4_000_000_000_000) | st.sampled_from((-(10**18), 10**18))

HOSTILE_INCIDENTS = st.builds(
    an_incident,
    rule=_TEXTS,
    measurement=_TEXTS,
    unit=_TEXTS,
    bound=_TEXTS,
    summary=_TEXTS,
    runbook=_TEXTS,
    reason=_TEXTS,
    breakdowns=st.lists(st.tuples(_TEXTS, _TEXTS), max_size=6).map(tuple),
    measured_value=_NUMBERS,
    peak_value=_NUMBERS,
    threshold=_NUMBERS,
    expected_low=st.none() | _NUMBERS,
    expected_high=st.none() | _NUMBERS,
    window_s=_NUMBERS,
    sample_size=st.integers(-1, 10**18),
    affected_viewers=st.integers(-1, 10**18),
    started_at=_TIMES,
    opened_at=_TIMES,
    resolved_at=st.none() | _TIMES,
    severity=st.sampled_from(Severity),
    alert_type=st.sampled_from(AlertType),
    status=st.sampled_from(Status),
)
