from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from playwatch.store.rows import decode_incident, encode_incident
from tests.kit.stores import an_incident, incidents

if TYPE_CHECKING:
    from playwatch.core.incidents import Incident


@settings(max_examples=50, deadline=None)
@given(incidents())
def test_an_incident_survives_its_encoding_exactly(incident: Incident) -> None:
    # By their text, because NaN equals nothing and -0.0 equals 0.0.
    assert repr(decode_incident(encode_incident(incident))) == repr(incident)


def test_fields_of_another_version_are_no_obstacle() -> None:
    body = encode_incident(an_incident())

    newer = body.replace("{", '{"added_later": 1, ', 1)
    older = body.replace(',"reason":""', "")

    assert decode_incident(newer) == decode_incident(older) == an_incident()
