from __future__ import annotations

import pytest

from playwatch.channels.retry_after import retry_after_s

NOW_AT = 1_767_225_600_000  # 2026-01-01T00:00:00Z
IN_A_MINUTE = "Thu, 01 Jan 2026 00:01:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "20"}, 20.0),
        ({"Retry-After": " 20 "}, 20.0),
        ({"Retry-After": "٢٠"}, None),
        ({"Retry-After": "1e3"}, None),
        ({"Retry-After": IN_A_MINUTE}, 60.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:01:00"}, 60.0),
        ({"Retry-After": "Thu, 99 Jan 2026 00:01:00 GMT"}, None),
        ({"ratelimit-reset": "7"}, 7.0),
        ({"Retry-After": "3", "ratelimit-reset": "7"}, 3.0),
    ],
)
def test_a_pause_is_read_in_all_its_forms(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, NOW_AT) == expected


def test_a_date_is_held_against_the_receivers_own_clock() -> None:
    headers = {"Retry-After": IN_A_MINUTE, "Date": "Thu, 01 Jan 2026 00:00:45 GMT"}

    assert retry_after_s(headers, NOW_AT + 86_400_000) == 15.0
