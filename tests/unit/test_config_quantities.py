from __future__ import annotations

import pytest

from playwatch.config.quantities import (
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    split_address,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("250ms", 0.25),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", 86_400),
        ("2w", 1_209_600),
        ("1d1h1m1s1ms", 90_061.001),
    ],
)
def test_a_duration_is_read_as_prometheus_reads_it(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "5", "m", "1.5h", "1m1h", "1s1s", "-1s", "1 s", "1S", "s1", "1y", "٣s", "1s\n"]
)
def test_anything_else_is_no_duration(written: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "0s"), (0.25, "250ms"), (60, "1m"), (5400, "1h30m"), (1e6, "11d13h46m40s")],
)
def test_a_duration_is_written_in_its_greatest_units(seconds: float, written: str) -> None:
    assert format_duration(seconds) == written


@pytest.mark.parametrize(
    ("written", "size", "again"),
    [
        ("1000", 1000, "1000B"),
        ("512KiB", 524_288, "512KiB"),
        ("4 MiB", 4 << 20, "4MiB"),
        ("0", 0, "0B"),
    ],
)
def test_a_size_is_read_and_written(written: str, size: int, again: str) -> None:
    assert parse_size(written) == size
    assert format_size(size) == again


@pytest.mark.parametrize("written", ["", "4MB", "4M", "-1", "1.5MiB"])
def test_anything_else_is_no_size(written: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(written)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("localhost:80", ("localhost", 80)),
        ("[::1]:0", ("::1", 0)),
        ("127.0.0.1:65535", ("127.0.0.1", 65_535)),
    ],
)
def test_an_address_is_host_and_port(written: str, address: tuple[str, int]) -> None:
    assert split_address(written) == address


@pytest.mark.parametrize(
    "written", ["", "8080", ":8080", "localhost", "a:65536", "::1:80", "a b:1", "a:80/"]
)
def test_anything_else_is_no_address(written: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        split_address(written)
