"""The whole of the core in one step: samples in, what to commit out.

Nothing here waits, logs, or reads a clock. The live engine, rule tests and
replay call the same two methods, `Pipeline.take` and `Pipeline.tick`, with the
same batches and instants, and get the same answers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwatch.core.decisions import decision_of, told, withheld
from playwatch.core.deliveries import Changes
from playwatch.core.edits import EditKind, RuleEdit, kind_of
from playwatch.core.incidents import Change
from playwatch.core.lookout import Lookout
from playwatch.core.relations import Relations
from playwatch.core.replacement import settle
from playwatch.core.samples import FEW
from playwatch.core.series import NEVER
from playwatch.core.silences import reason_for_quiet
from playwatch.core.teller import Teller
from playwatch.core.watching import pooled, share_budgets, watch_of
from playwatch_models.registry import open_detector

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from playwatch.core.casebook import Turn
    from playwatch.core.deliveries import Delivery
    from playwatch.core.incidents import Incident
    from playwatch.core.learned import OpenDetector
    from playwatch.core.metrics import Catalogue
    from playwatch.core.replacement import Settled
    from playwatch.core.routing import Route
    from playwatch.core.rules import Rule
    from playwatch.core.samples import Instant, SampleBatch
    from playwatch.core.series import SeriesTable
    from playwatch.core.silences import MuteWindow, Silence
    from playwatch.core.watches import Watch
    from playwatch.core.watching import AnyWatch


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the pipeline decided.

    Attributes
    ----------
    changes
        Incidents and deliveries to commit together.
    turns
        What happened to which incident, in the order of the rules.
    late
        Samples that were older than the window of a rule that watches them.
    """

    changes: Changes = field(default_factory=Changes)
    turns: Sequence[Turn] = ()
    late: int = 0


class Pipeline:
    """Rules at work on a table of series.

    Parameters
    ----------
    catalogue
        The metrics.
    series
        The table that batches refer to.
    rules
        What to watch; every metric must be in the catalogue.
    routes
        Which channels want to hear of what.
    installation
        The name of this installation; goes into every incident's identity.
    quiet
        Silences and mute windows; they may be replaced between two steps.
    opens
        Makes the detectors of learned rules; others for a trial.
    few
        Up to so many samples of a rule are counted by a loop instead of in columns.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        series: SeriesTable,
        rules: Iterable[Rule],
        routes: Sequence[Route],
        installation: str,
        quiet: Sequence[Silence | MuteWindow] = (),
        opens: OpenDetector = open_detector,
        *,
        few: int = FEW,
    ) -> None:
        self._opens = opens
        self.series = series
        self.settled: Settled | None = None
        """What of the newest batch counted; None when it was empty."""
        self._few = few
        self.quiet = tuple(quiet)
        self._installation = installation
        self._teller = Teller(routes)
        self._relations = Relations()
        self._withheld: set[str] = set()
        self._watch([watch_of(rule, catalogue, installation, opens=opens) for rule in rules])

    @property
    def open_incidents(self) -> list[Incident]:
        """Every open incident, by rule."""
        return [incident for watch in self.watches for incident in watch.open.values()]

    @property
    def thresholds(self) -> list[Watch]:
        """The rules at work whose bounds are written down."""
        return self.lookout.judging

    @property
    def withheld(self) -> frozenset[str]:
        """Ids of the open incidents of which a silence keeps a trigger back."""
        return frozenset(self._withheld)

    def take(self, batch: SampleBatch, now: Instant) -> Step:
        """Count a batch of samples and judge the groups that it touched."""
        self.settled = None
        if not len(batch):
            return Step()
        settled = self.settled = settle(self.series, batch, self._few)
        turns, late = self.lookout.take(settled, now)
        return self._step(turns, now.at, late, releases=False)

    def tick(self, now: Instant) -> Step:
        """Let time pass: for durations, for what has gone silent, for silences that end."""
        self._share_budgets()
        turns = [turn for watch in self.watches for turn in watch.tick(now.monotonic_ms)]
        return self._step(turns, now.at)

    def adopt(
        self,
        incidents: Iterable[Incident],
        routed: Iterable[Delivery],
        now: Instant,
        withheld: Collection[str] = (),
    ) -> Step:
        """Take over what the store has open; close what no rule watches any more.

        Parameters
        ----------
        routed
            The triggers of these incidents. Their channels are told of the
            end with the keys that they were told with.
        withheld
            Ids of those of which a silence kept a trigger back.

        Returns
        -------
        Step
            The ends of incidents whose rule is gone or watches something else.
        """
        told: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in routed:
            told[delivery.incident_id].append(delivery)
        watch_of = {(watch.rule.name, watch.rule.scope): watch for watch in self.watches}
        names = {watch.rule.name for watch in self.watches}
        turns: list[Turn] = []
        for incident in incidents:
            self._teller.adopt(incident, told[incident.id])
            watch = watch_of.get((incident.rule, incident.scope))
            if watch is None:
                what = "changed" if incident.rule in names else "removed"
                turns.append((Change.CLOSED, incident.closed(f"rule {what}", now.at)))
            else:
                watch.adopt(incident, now)
                self._withheld |= {incident.id} & set(withheld)
        for watch in self.watches:
            watch.disown_others()
        self._relations.adopt(self.watches, now.at)
        return self._step(turns, now.at)

    def reload(
        self,
        catalogue: Catalogue,
        rules: Iterable[Rule],
        routes: Sequence[Route],
        quiet: Sequence[Silence | MuteWindow],
        now: Instant,
    ) -> tuple[Step, list[RuleEdit]]:
        """Go on with other rules, routes and silences.

        Parameters
        ----------
        catalogue
            Holds every metric of the one before, under the same number.

        Returns
        -------
        Step
            The ends of incidents whose rule is gone or watches something else,
            and what the edited rules say at once of those that stay.
        list of RuleEdit
            What became of each rule, the removed ones last.

        Raises
        ------
        ValueError
            If a rule names an unknown metric; then nothing has changed.
        """
        newest = int(self.series.newest_at.max(initial=NEVER))
        made = (catalogue, self._installation, newest, self._opens)
        fresh = [watch_of(rule, *made) for rule in rules]
        before = {watch.rule.name: watch for watch in self.watches}
        watches: list[AnyWatch] = []
        edits: list[RuleEdit] = []
        turns: list[Turn] = []
        for new in fresh:
            old = before.get(new.rule.name)
            kind = EditKind.ADDED if old is None else kind_of(old.rule, new.rule)
            if kind is EditKind.ADDED:
                edits.append(RuleEdit(new.rule.name, kind))
            if old is None or kind is EditKind.REPLACED:
                watches.append(new)
                continue
            watches.append(before.pop(new.rule.name))
            if kind is EditKind.EDITED:
                old.edit(new.rule)
                turns += old.tick(now.monotonic_ms)
            edits.append(RuleEdit(new.rule.name, kind, kept=_ids(old)))
        kept = {watch.rule.name for watch in watches}
        for name, old in before.items():
            kind = EditKind.REPLACED if name in kept else EditKind.REMOVED
            reason = "rule changed" if name in kept else "rule removed"
            edits.append(RuleEdit(name, kind, closed=_ids(old)))
            turns += [
                (Change.CLOSED, incident.closed(reason, now.at)) for incident in old.open.values()
            ]
        self._watch(watches)
        self._teller.route(routes)
        self.quiet = tuple(quiet)
        return self._step(turns, now.at), edits

    def resolve(self, incident_id: str, reason: str, now: Instant) -> Step:
        """Close an open incident by hand; its group starts anew with an empty window."""
        for watch in self.watches:
            for group, incident in list(watch.open.items()):
                if incident.id == incident_id:
                    del watch.open[group]
                    watch.disown_others()
                    closed = incident.closed(reason, now.at)
                    return self._step([(Change.CLOSED, closed)], now.at)
        return Step()

    def withdraw(self, channel: str, now: Instant) -> Step:
        """Let every open incident be over for one channel, which is told nothing any more."""
        return Step(Changes(deliveries=self._teller.withdraw(channel, self.open_incidents, now.at)))

    def _watch(self, watches: list[AnyWatch]) -> None:
        self.watches = watches
        self.lookout = Lookout(self.series, watches, few=self._few)
        self._pooled = pooled(watches)
        self._shared: list[int] = []
        self._paging_again = {watch.rule.name for watch in watches if watch.rule.repage_on_rise}

    def _share_budgets(self) -> None:
        """Share budgets out anew where rules of a pool have more groups than before."""
        groups = [len(watch.groups) for watch in self._pooled]
        if groups != self._shared:
            self._shared = groups
            share_budgets(self._pooled)

    def _step(self, turns: list[Turn], at: int, late: int = 0, *, releases: bool = True) -> Step:
        """Route what happened, so that incidents and deliveries commit together."""
        deliveries: list[Delivery] = []
        decisions = [decision for watch in self.watches for decision in watch.drain()]
        turns = self._relations.relate(turns, self.watches, at)
        for change, incident in turns:
            decisions.append(decision_of(change, incident, at))
            if change is Change.CORRECTED:
                continue
            if not incident.is_open:
                self._withheld.discard(incident.id)
                deliveries += self._teller.resolves(incident, at)
            elif change not in {Change.OPENED, Change.ROSE}:
                continue
            elif reason := self._reason_to_wait(incident, at):
                self._withheld.add(incident.id)
                decisions.append(withheld(incident, at, reason))
            else:
                self._withheld.discard(incident.id)
                deliveries += self._triggers(incident, at)
        for incident in self._released(at) if releases and self._withheld else ():
            self._withheld.discard(incident.id)
            decisions.append(told(incident, at))
            deliveries += self._triggers(incident, at)
        incidents = [incident for _, incident in turns]
        return Step(Changes(incidents, deliveries, decisions), turns, late)

    def _released(self, at: int) -> list[Incident]:
        """Return the open incidents that were withheld and are silenced no more."""
        return [
            incident
            for incident in self.open_incidents
            if incident.id in self._withheld and self._reason_to_wait(incident, at) is None
        ]

    def _reason_to_wait(self, incident: Incident, at: int) -> str | None:
        """Return why nobody is to be told of an incident now; None when they are."""
        waits = self._relations.reason_to_wait(incident)
        return waits or reason_for_quiet(self.quiet, incident, at)

    def _triggers(self, incident: Incident, at: int) -> list[Delivery]:
        pages_again = incident.rule in self._paging_again
        return self._teller.triggers(incident, at, pages_again=pages_again)


def _ids(watch: AnyWatch) -> tuple[str, ...]:
    return tuple(incident.id for incident in watch.open.values())
