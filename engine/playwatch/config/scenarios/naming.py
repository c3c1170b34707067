"""Names in rule tests: every rule, channel and dimension that is expected exists."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from playwatch.config.anomalies import AnomalySettings
    from playwatch.config.document import Document, Path
    from playwatch.config.rules import RuleSettings
    from playwatch.config.scenarios.schema import Scenario, ScenarioFile
    from playwatch.config.schema import ChannelSettings


def check_names(
    document: Document,
    settings: ScenarioFile,
    rules: tuple[Sequence[RuleSettings], Sequence[AnomalySettings]],
    channels: Sequence[ChannelSettings],
    others: Collection[str],
) -> None:
    """Add a mistake for each name that means nothing, or two things.

    Parameters
    ----------
    rules, channels
        All of them, those of other files included.
    others
        The names of rules of other files.
    """
    for number, rule in enumerate(settings.rules):
        if rule.name in others:
            message = f"'{rule.name}' names a rule of another file"
            document.complain(("rules", number, "name"), message)
    _check_once(document, "rules", [rule.name for rule in settings.rules])
    _check_once(document, "anomalies", [one.name for one in settings.anomalies])
    _check_once(document, "channels", [channel.name for channel in settings.channels])
    _check_once(document, "tests", [test.name for test in settings.tests])
    if not any(rules):
        document.complain((), "there are no rules", "write config, rule_files or rules")
    if not settings.tests:
        document.complain(("tests",), "there are no tests")
    for number, test in enumerate(settings.tests):
        _Checker(document, ("tests", number), rules, channels).check(test)


def _check_once(document: Document, section: str, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            document.complain((section, number, "name"), f"'{name}' is given twice")


class _Checker:
    """Looks through one test."""

    def __init__(
        self,
        document: Document,
        path: Path,
        rules: tuple[Iterable[RuleSettings], Iterable[AnomalySettings]],
        channels: Iterable[ChannelSettings],
    ) -> None:
        self._document = document
        self._path = path
        self._by = {rule.name: [set(rule.by)] for rule in rules[0]}
        # Where nobody names groupings, any single dimension may come.
        self._by |= {one.name: [set(names) for names in one.by or ()] for one in rules[1]}
        self._channels = {channel.name for channel in channels}

    def check(self, test: Scenario) -> None:
        """Add what is wrong with the names in a test."""
        if not test.alert_rule_test and test.exp_pages is None:
            self._complain((), "checks nothing", "write alert_rule_test or exp_pages")
        self._check_edits(test)
        for number, check in enumerate(test.alert_rule_test):
            path: Path = ("alert_rule_test", number)
            self._check_rule(check.rule, (*path, "rule"))
            for place, expected in enumerate(check.exp_incidents):
                key = "dimensions" if expected.labels is None else "labels"
                inner = (*path, "exp_incidents", place, key)
                self._check_group(check.rule, expected.group, inner)
        self._check_pages(test)

    def _check_edits(self, test: Scenario) -> None:
        for number, edit in enumerate(test.edits):
            for place, name in enumerate(edit.remove):
                self._check_rule(name, ("edits", number, "remove", place))
            for rule in edit.rules:
                self._by.setdefault(rule.name, []).append(set(rule.by))

    def _check_pages(self, test: Scenario) -> None:
        if test.exp_pages is not None and not self._channels:
            self._complain(("exp_pages",), "there are no channels to page", "write channels")
            return
        for number, page in enumerate(test.exp_pages or ()):
            path: Path = ("exp_pages", number)
            if page.channel not in self._channels:
                hint = _nearest(page.channel, self._channels)
                self._complain((*path, "channel"), f"there is no channel '{page.channel}'", hint)
            if page.rule is not None:
                self._check_rule(page.rule, (*path, "rule"))
                self._check_group(page.rule, page.dimensions, (*path, "dimensions"))

    def _check_rule(self, name: str, path: Path) -> None:
        if name not in self._by:
            self._complain(path, f"there is no rule '{name}'", _nearest(name, self._by))

    def _check_group(self, rule: str, group: Mapping[str, str] | None, path: Path) -> None:
        """Refuse a group that no incident of a rule can have."""
        groupings = self._by.get(rule)
        if group is None or not groupings or set(group) in groupings:
            return
        by = ", ".join(sorted(groupings[-1])) or "nothing"
        named = ", ".join(sorted(group)) or "no dimension"
        self._complain(path, f"names {named}, but rule {rule} groups by {by}")

    def _complain(self, path: Path, message: str, hint: str = "") -> None:
        self._document.complain((*self._path, *path), message, hint)


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that is not known: a suggestion, or what is known."""
    listed = sorted(known)
    near = difflib.get_close_matches(name, listed, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(listed)}" if listed else ""
