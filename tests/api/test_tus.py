"""The headers of tus are read strictly: what is odd, doubled or huge is refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from api import tus
from api.tus import BadHeader
from capture.receiver import Chunk


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in pairs])


NUL = "a\0b"


def test_metadata_is_keys_with_values_in_base64() -> None:
    header = f"filename {b64('Rolle wechseln – 標籤.mp4')},empty , flag,title {b64(NUL)}"
    assert tus.parse_metadata(header) == {
        "filename": "Rolle wechseln – 標籤.mp4", "empty": "", "flag": "", "title": "ab",
    }  # fmt: skip
    assert tus.parse_metadata(None) == tus.parse_metadata("") == {}


@pytest.mark.parametrize(
    "header",
    [
        f"a {b64('x')},a {b64('y')}", ",", f" {b64('x')},", "a !!!", "a YQ", "a YQ== YQ==", f"a {b64(bytes([0xFF]))}",
        "é YQ==", "a\x01 YQ==", f"title {b64('x' * 9000)}", "a YQ==\nb",
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(BadHeader) as refused:
        tus.parse_metadata(header)
    assert (refused.value.status, refused.value.code) == (400, "upload.bad_metadata")


@given(st.text(max_size=60))
def test_no_metadata_is_a_server_error(header: str) -> None:
    try:
        found = tus.parse_metadata(header)
    except BadHeader:
        return
    assert all("\0" not in value for value in found.values())


def test_a_creation_says_its_length_or_that_it_comes_later() -> None:
    assert tus.new_length(headers(("Upload-Length", "1000"))) == 1000
    assert tus.new_length(headers(("Upload-Defer-Length", "1"))) is None


BAD_COUNTS = ["", "-1", "1.5", "+1", " ", "1e3", "0x10", "1_000", "²", "9" * 16, "9223372036854775808"]


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("Upload-Defer-Length", "2")],
        [("Upload-Defer-Length", "1"), ("Upload-Length", "5")],
        [("Upload-Length", "5"), ("Upload-Length", "5")],
        [("Upload-Length", "5"), ("Upload-Length", "6")],
        [("Upload-Length", "5"), ("Upload-Concat", "partial")],
        *([("Upload-Length", value)] for value in BAD_COUNTS),
    ],
)
def test_a_creation_with_another_length_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(BadHeader):
        tus.new_length(headers(*pairs))


def test_a_chunk_says_where_it_belongs_and_what_it_holds() -> None:
    digest = hashlib.sha256(b"x").digest()
    said = [("Upload-Offset", "0"), ("Content-Length", "1"), ("Upload-Length", "9")]
    assert tus.chunk(headers(*said, ("Upload-Checksum", f"sha256 {b64(digest)}"))) == Chunk(0, 1, 9, "sha256", digest)
    assert tus.chunk(headers(("Upload-Offset", "7"))) == Chunk(7)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        *([("Upload-Offset", value)] for value in BAD_COUNTS),
        [("Upload-Offset", "1"), ("Upload-Offset", "1")],
        [("Upload-Offset", "1"), ("Upload-Length", "-1")],
        [("Upload-Offset", "1"), ("Upload-Checksum", "")],
        [("Upload-Offset", "1"), ("Upload-Checksum", "sha1")],
        [("Upload-Offset", "1"), ("Upload-Checksum", "sha1 !!!")],
        [("Upload-Offset", "1"), ("Upload-Checksum", f"sha1 {b64(b'short')}")],
        [("Upload-Offset", "1"), ("Upload-Checksum", f"md5 {b64(b'x' * 16)}")],
        [("Upload-Offset", "1"), ("Upload-Checksum", f"sha1 {b64(b'x' * 20)}"), ("Upload-Checksum", "sha1")],
    ],
)
def test_a_chunk_that_cannot_be_read_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(BadHeader) as refused:
        tus.chunk(headers(*pairs))
    assert refused.value.status == 400
