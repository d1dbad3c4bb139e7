"""One byte range is answered as RFC 9110 says; what is not understood is answered with the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ranges import ByteRange, Unsatisfiable, names, parse_range


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, 99),
        ("bytes=99-", 99, 99),
        ("bytes=10-19", 10, 19),
        ("bytes=90-200", 90, 99),
        ("bytes=0-999999999999999999", 0, 99),
        ("bytes=-1", 99, 99),
        ("bytes=-100", 0, 99),
        ("bytes=-500", 0, 99),
        ("BYTES=1-2", 1, 2),
        (" bytes= 1-2\t", 1, 2),
    ],
)
def test_a_range_is_cut_to_the_file(header: str, first: int, last: int) -> None:
    wanted = parse_range(header, 100)
    assert wanted == ByteRange(first, last)
    assert wanted.size_bytes == last - first + 1


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_outside_the_file_is_unsatisfiable(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, 100)


@pytest.mark.parametrize("header", ["bytes=0-0", "bytes=0-", "bytes=-5"])
def test_an_empty_file_has_no_range(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, 0)


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "bytes=0x1-2", "items=0-1",
        "bytes=--5", "bytes=1 0-20", "bytes=+1-2", "bytes=0-1;q=1", "bytes=" + "9" * 19 + "-", "bytes=²-",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_the_whole(header: str | None) -> None:
    assert parse_range(header, 100) is None


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}", fullmatch=True), st.integers(0, 10**12))
def test_no_header_leads_outside_the_file(header: str, size_bytes: int) -> None:
    try:
        wanted = parse_range(header, size_bytes)
    except Unsatisfiable:
        return
    assert wanted is None or 0 <= wanted.first <= wanted.last < size_bytes


@pytest.mark.parametrize(
    ("header", "named"),
    [(None, False), ("", False), ('"a"', True), ('"b", "a"', True), ("*", True), ("a", False), ('W/"a"', False)],
)
def test_an_etag_is_named_exactly(header: str | None, named: bool) -> None:
    assert names(header, '"a"') is named
