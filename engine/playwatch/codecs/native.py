"""The native format: JSON objects, lists of objects, and columns.

A sample is ``{"metric", "value", "views"?, "at"?, "dimensions"?, "source"?,
"seq"?}``. A payload is one of them, a list of them, or an object whose
``value`` is an array; then ``metric``, ``views``, ``at`` and ``dimensions`` are
arrays of the same length or one value for all. Other fields are ignored.

Well-formed payloads are decoded whole, by type. When one does not fit, it is
decoded again field by field, so that each bad sample gets its own reason and
the good ones beside it are kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from msgspec import Raw, Struct
from msgspec.json import Decoder

from playwatch.codecs import fields
from playwatch.codecs.fields import FIELDS, RAWS, TEXT, At, Seq, Source, Time, Views, read
from playwatch.core.intake import REFUSED
from playwatch.core.refusals import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from playwatch.core.intake import Intake

MAX_SAMPLES: Final = 100_000

# Anything the decoder may raise: RecursionError for nesting, the others for
# bytes that are no JSON, no UTF-8, or of another type.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_COLUMNS: Final = ("metric", "value", "views", "at", "dimensions")
_NONE: Final = Raw(b"{}")


class _Sample(Struct, gc=False):
    metric: str
    value: float
    views: Views = 1
    at: At = None
    dimensions: Raw = _NONE
    source: Source = None
    seq: Seq = None


class _Object(Struct, gc=False):
    metric: str | list[str]
    value: float | list[float]
    views: Views | list[Views] = 1
    at: At | list[At] = None
    dimensions: Raw = _NONE
    source: Source = None
    seq: Seq = None


_SAMPLES: Final = Decoder(list[_Sample])
_OBJECT: Final = Decoder(_Object)


def decode(payload: bytes, intake: Intake) -> None:
    """Put the samples of a payload into the intake, with a reason for each bad one.

    Parameters
    ----------
    payload
        JSON in UTF-8: an object, a list of objects, or an object of columns.
    intake
        After `Intake.message`.

    Notes
    -----
    Never raises. More than 4 MiB are not looked at; more than 100,000 samples
    are not taken, so that one message cannot hold up all others.
    """
    if len(payload) > intake.max_bytes:
        detail = f"{len(payload)} bytes, at most {intake.max_bytes} are read"
        intake.refuse(Refused(Reason.TOO_LARGE, detail))
        return
    try:
        if payload[:1] != b"{" and payload.lstrip(b" \t\r\n").startswith(b"["):
            _decode_list(payload, intake)
        else:
            _decode_object(payload, intake)
    except Refused as refused:
        intake.refuse(refused)


def _decode_list(payload: bytes, intake: Intake) -> None:
    try:
        samples = _SAMPLES.decode(payload)
    except _UNREADABLE:
        items = read(RAWS, fields.mended(payload), "payload")
        _check_count(len(items))
        for item in items:
            try:
                parts = read(FIELDS, item, "sample")
            except Refused as refused:
                intake.reject(refused)
            else:
                _judge(parts, intake)
        return
    _check_count(len(samples))
    for sample in samples:
        if _is_new(sample.source, sample.seq, intake):
            _put(sample.metric, sample.dimensions, sample.at, sample.value, sample.views, intake)


def _decode_object(payload: bytes, intake: Intake) -> None:
    try:
        found = _OBJECT.decode(payload)
    except _UNREADABLE:
        pass
    else:
        metric, at, value, views = found.metric, found.at, found.value, found.views
        if isinstance(value, list):
            _check_count(len(value))
            if _is_new(found.source, found.seq, intake, len(value)):
                _put_columns(metric, found.dimensions, at, value, views, intake)
            return
        if not (isinstance(metric, list) or isinstance(at, list) or isinstance(views, list)):
            if _is_new(found.source, found.seq, intake):
                _put(metric, found.dimensions, at, value, views, intake)
            return
    payload = fields.mended(payload)
    parts = read(FIELDS, payload, "payload")
    if _is_array(parts.get("value")):
        _judge_columns(parts, intake)
    else:
        _judge(parts, intake)


def _is_new(source: str | None, seq: int | None, intake: Intake, samples: int = 1) -> bool:
    """Return whether samples are to be taken; those without a number always are."""
    if source is None:
        return True
    intake.hear(source)
    return seq is None or intake.admit(source, seq, samples)


def _put(
    metric: str,
    dimensions: Raw,
    at: Time,
    value: float,
    views: int,
    intake: Intake,
) -> None:
    """Take one sample of the right types."""
    spelling = bytes(dimensions)
    row = intake.spellings.find(metric, spelling)
    if row is None:
        try:
            row = intake.spellings.learn(metric, spelling, fields.dimensions(spelling))
        except Refused as refused:
            intake.reject(refused)
            return
    intake.add(row, _ms(at), value, views)


def _put_columns(
    metric: str | list[str],
    dimensions: Raw,
    at: Time | list[Time],
    value: list[float],
    views: int | list[int],
    intake: Intake,
) -> None:
    """Take columns of the right types."""
    n = len(value)
    for name, column in (("metric", metric), ("views", views), ("at", at)):
        _check_length(name, column, n)
    rows = _rows(metric, bytes(dimensions), n, intake)
    ats: NDArray[np.int64] | int | None
    if isinstance(at, list):
        now = intake.arrived.at
        ats = np.array([_ms(one) if one is not None else now for one in at], np.int64)
    else:
        ats = _ms(at)
    weights = np.array(views, np.int64) if isinstance(views, list) else views
    intake.add_columns(rows, ats, np.array(value, np.float64), weights)


def _rows(metric: str | list[str], spelling: bytes, n: int, intake: Intake) -> NDArray[np.int32]:
    """Return the rows of ``n`` samples; count those that cannot be."""
    column_of = None
    if spelling.startswith(b"["):
        if isinstance(metric, str):
            column_of = metric
            known = intake.spellings.find_column(metric, spelling)
            if known is not None and len(known) == n:
                return known
        raws: list[Raw] = read(RAWS, spelling, "dimensions")
        _check_length("dimensions", raws, n)
        spellings = [bytes(raw) for raw in raws]
    else:
        spellings = [spelling] * n
    metrics = metric if isinstance(metric, list) else [metric] * n
    learn = intake.spellings.learn
    found = list(map(intake.spellings.find, metrics, spellings))
    for offset, row in enumerate(found):
        if row is None:
            try:
                spelled = spellings[offset]
                found[offset] = learn(metrics[offset], spelled, fields.dimensions(spelled))
            except Refused as refused:
                intake.refuse(refused, offset)
                found[offset] = REFUSED
    rows = np.array(found, np.int32)
    if column_of is not None and (rows >= 0).all():
        intake.spellings.learn_column(column_of, spelling, rows)
    return rows


def _judge(parts: Mapping[str, Raw], intake: Intake) -> None:
    """Take one sample field by field, or say what is wrong with it."""
    try:
        if not _is_new(*fields.number(parts), intake):
            return
        metric = read(TEXT, fields.required(parts, "metric"), "metric")
        value = fields.value(fields.required(parts, "value"))
        views = fields.views(bytes(parts["views"])) if "views" in parts else 1
        at = fields.at(bytes(parts["at"])) if "at" in parts else None
    except Refused as refused:
        intake.reject(refused)
        return
    _put(metric, parts.get("dimensions", _NONE), at, value, views, intake)


def _judge_columns(parts: Mapping[str, Raw], intake: Intake) -> None:
    """Take columns sample by sample, or say what is wrong with each."""
    ones = {name: parts[name] for name in _COLUMNS if name in parts}
    columns: dict[str, list[Raw]] = {
        name: read(RAWS, raw, name) for name, raw in ones.items() if _is_array(raw)
    }
    n = len(columns["value"])
    _check_count(n)
    if not _is_new(*fields.number(parts), intake, n):
        return
    for name, column in columns.items():
        _check_length(name, column, n)
    for offset in range(n):
        _judge(ones | {name: column[offset] for name, column in columns.items()}, intake)


def _is_array(raw: Raw | None) -> bool:
    return raw is not None and bytes(raw).startswith(b"[")


def _ms(at: Time) -> int | None:
    return fields.milliseconds(at) if isinstance(at, datetime) else at


def _check_count(samples: int) -> None:
    if samples > MAX_SAMPLES:
        raise Refused(Reason.TOO_LARGE, f"{samples} samples, at most {MAX_SAMPLES} are read")


def _check_length(name: str, column: object, n: int) -> None:
    if isinstance(column, list) and len(column) != n:
        raise Refused(Reason.MALFORMED, f"{name} has {len(column)} elements, value has {n}")
