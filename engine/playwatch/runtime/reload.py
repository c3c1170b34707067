"""Reload: another configuration takes effect while the engine runs.

Everything is read and checked first; a mistake changes nothing. Then rules,
routes and mute windows change between two batches, and channels with them.
What belongs to the process itself, its broker, store and web server, waits for
a restart, and the answer says so.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from playwatch.config.anomalies import everything_watched
from playwatch.core.audit import AuditEntry
from playwatch.core.edits import EditKind
from playwatch.core.metrics import Catalogue
from playwatch.errors import ConfigError, PlaywatchError, Problem, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from playwatch.config.schema import ChannelSettings, Settings
    from playwatch.core.edits import RuleEdit
    from playwatch.core.intake import Intake
    from playwatch.core.routing import Route
    from playwatch.ports import Channel, Clock
    from playwatch.runtime.evaluate import Evaluator
    from playwatch.runtime.outbox import Outbox
    from playwatch.telemetry import Telemetry

log = logging.getLogger("playwatch.reload")

_LIVE: Final = {"rules", "rule_files", "anomalies", "channels", "metrics", "mute"}
"""Sections that take effect without a restart."""


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """What a reload did.

    Attributes
    ----------
    rules
        What became of each rule and its open incidents.
    added, changed, removed
        Names of channels.
    needs_restart
        Sections that have changed and take effect at the next start.
    """

    rules: tuple[RuleEdit, ...]
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """How a reload makes what it needs.

    Attributes
    ----------
    load
        Reads the configuration again; raises `ConfigError`.
    complete
        Adds the channels to it that were added at run time.
    prepare
        Called with settings that are about to take effect; may refuse them.
    open_channel
        Makes a channel of its settings.
    intake
        Makes an intake for a catalogue.
    route
        Says which incidents a channel takes.
    tell
        Called with settings that have taken effect and their channels.
    audit
        Keeps who asked for a reload.
    """

    load: Callable[[], Settings]
    complete: Callable[[Settings], Awaitable[Settings]]
    prepare: Callable[[Settings], Awaitable[None]]
    open_channel: Callable[[ChannelSettings], Channel]
    intake: Callable[[Catalogue], Intake]
    route: Callable[[ChannelSettings, Channel], Route]
    tell: Callable[[Settings, dict[str, Channel]], None]
    audit: Callable[[AuditEntry], Awaitable[None]]


class Reloader:
    """Puts another configuration into a running engine.

    Parameters
    ----------
    settings
        Those in force, as the file has them.
    present
        The settings of the open channels, those added at run time among them.
    channels
        The open channels by name; the caller closes them, and those that a
        reload adds, when the engine ends.
    """

    def __init__(
        self,
        settings: Settings,
        present: Iterable[ChannelSettings],
        channels: dict[str, Channel],
        parts: Parts,
        evaluator: Evaluator,
        outbox: Outbox,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._written = settings
        self._settings = settings.model_copy(update={"channels": tuple(present)})
        self._started_with = settings
        self._catalogue = settings.catalogue()
        self.channels = channels
        self._parts = parts
        self._evaluator = evaluator
        self._outbox = outbox
        self._clock = clock
        self._telemetry = telemetry
        self._turn = asyncio.Lock()
        self._all_channels = list(channels.values())
        telemetry.reloaded_at.set(clock.wall_ms() / 1000)

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self._settings

    async def reload(self, author: str) -> ReloadReport:
        """Read the configuration again and go on with it.

        Parameters
        ----------
        author
            Who asks for it.

        Raises
        ------
        ConfigError
            With every mistake; then nothing has changed.
        StoreError
            If the store cannot be read or written; nothing has changed either.
        """
        async with self._turn:
            try:
                settings = await asyncio.to_thread(self._parts.load)
                catalogue = extended(self._catalogue, settings)
                # From here on to the end, whoever asked may go away.
                report = await asyncio.shield(self._put(settings, catalogue))
            except PlaywatchError as error:
                self._telemetry.reload_successful.set(0)
                log.error("nothing is reloaded:\n%s", error)  # noqa: TRY400 - sentences
                raise
            self._telemetry.reload_successful.set(1)
            self._telemetry.reloaded_at.set(self._clock.wall_ms() / 1000)
            said = in_words(report)
            log.info("reloaded: %s", said)
            await self._note(author, said)
            return report

    async def refresh(self) -> None:
        """Go on with the channels that the store has now; the configuration stays.

        Raises
        ------
        StoreError
            If the store cannot be read or written; nothing has changed then.
        """
        async with self._turn:
            await asyncio.shield(self._put(self._written, self._catalogue))

    @property
    def written(self) -> Settings:
        """The configuration in force as the file has it, without what was added at run time."""
        return self._written

    def opened(self, one: ChannelSettings) -> Channel:
        """Return a channel made of settings for the caller to use and close."""
        return self._parts.open_channel(one)

    async def _note(self, author: str, said: str) -> None:
        """Keep who asked; what is in force is not taken back where that fails."""
        now_at = self._clock.wall_ms()
        try:
            await self._parts.audit(
                AuditEntry(now_at, author, "configuration reloaded", after={"report": said})
            )
        except StoreError as error:
            log.error("the reload is not in the audit: %s", error)  # noqa: TRY400 - a sentence

    async def close(self) -> None:
        """Close every channel there was."""
        for channel in self._all_channels:
            await channel.close()

    async def _put(self, written: Settings, catalogue: Catalogue) -> ReloadReport:
        settings = await self._parts.complete(written)
        await self._parts.prepare(settings)
        before = {one.name: one for one in self._settings.channels}
        after = {one.name: one for one in settings.channels}
        fresh = {
            name: self._parts.open_channel(one)
            for name, one in after.items()
            if before.get(name) != one
        }
        self._all_channels += fresh.values()
        channels = {name: fresh.get(name) or self.channels[name] for name in after}
        edits = await self._evaluator.reload(
            catalogue,
            self._parts.intake(catalogue),
            settings.mute_windows(),
            everything_watched(settings),
            [self._parts.route(one, channels[one.name]) for one in settings.channels],
        )
        for name, channel in fresh.items():
            self._outbox.put(channel, after[name].rate_limit, rolls_up=after[name].rolls_up)
        for name in before.keys() - after.keys():
            self._outbox.retire(name)
        self._written, self._settings, self._catalogue = written, settings, catalogue
        self.channels = channels
        self._parts.tell(settings, channels)
        return ReloadReport(
            rules=tuple(edits),
            added=tuple(sorted(fresh.keys() - before.keys())),
            changed=tuple(sorted(fresh.keys() & before.keys())),
            removed=tuple(sorted(before.keys() - after.keys())),
            needs_restart=self._waiting(written),
        )

    def _waiting(self, settings: Settings) -> tuple[str, ...]:
        return tuple(
            name
            for name in type(settings).model_fields
            if name not in _LIVE and getattr(settings, name) != getattr(self._started_with, name)
        )


def extended(known: Catalogue, settings: Settings) -> Catalogue:
    """Return the known metrics under their numbers, and the new ones after them.

    Raises
    ------
    ConfigError
        If a metric means something else now: its samples are in memory.
    """
    wanted = settings.catalogue()
    changed = [one for one in wanted if known.find(one.key) not in {None, one}]
    if changed:
        raise ConfigError(
            [
                Problem(
                    *settings.origin("metric", one.key),
                    f"metric {one.key}",
                    "means something else than before",
                    "restart the engine, or give it another key",
                )
                for one in changed
            ]
        )
    own = list(known)[len(Catalogue()) :]
    return Catalogue([*own, *(one for one in wanted if known.find(one.key) is None)])


def in_words(report: ReloadReport) -> str:
    """Return what a reload did, in one line."""
    counts = {
        kind: sum(edit.kind is kind for edit in report.rules)
        for kind in EditKind
        if kind is not EditKind.SAME
    }
    said = [
        f"{count} rule{'s' * (count != 1)} {kind.value}" for kind, count in counts.items() if count
    ]
    for word, names in (
        ("added", report.added),
        ("changed", report.changed),
        ("removed", report.removed),
    ):
        said += [f"channels {word}: {', '.join(names)}"] if names else []
    kept = sum(len(edit.kept) for edit in report.rules)
    closed = sum(len(edit.closed) for edit in report.rules)
    said.append(f"{kept} incidents kept, {closed} closed")
    if report.needs_restart:
        said.append(f"a restart is needed for {', '.join(report.needs_restart)}")
    return "; ".join(said)
