"""The first bytes, and nothing else, decide what a file is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.container import HEAD_BYTES, Container, sniff

MP4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41" + b"\0\0\0\x08free" + b"\0" * 24
MOV = b"\0\0\0\x14ftypqt  \0\0\x02\0qt  " + b"\0\0\0\x08wide" + b"\0" * 36
WEBM = (
    b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"
    b"\x42\x87\x81\x04\x42\x85\x81\x02" + b"\x18\x53\x80\x67" + b"\0" * 24
)
MATROSKA_LONG_SIZE = (
    b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x23\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08"
    b"\x42\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02"
)


@pytest.mark.parametrize(
    ("head", "container"),
    [(MP4, Container.MP4), (MOV, Container.MP4), (WEBM, Container.MATROSKA), (MATROSKA_LONG_SIZE, Container.MATROSKA)],
    ids=["mp4", "mov", "webm", "mkv"],
)
def test_what_phones_and_browsers_write_is_named(head: bytes, container: Container) -> None:
    assert sniff(head[:HEAD_BYTES]) is container


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0" * 64,
        b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n" + b" " * 30,
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">',
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc"/>',
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000",
        b"RIFF\x24\x08\0\0AVI LIST" + b"\0" * 48,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 56,
        b"%PDF-1.7 " + MP4[:40],
        b"PK\x03\x04" + MP4[:60],
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40,
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 36,
        b"\0\0\0\x00ftypisom" + b"\0" * 52,
        b"\0\0\0\x01ftypisom" + b"\0" * 52,
        b"\xff\xff\xff\xffftypisom" + b"\0" * 52,
        b"\0\0\0\x20ftyp\0\0\0\0" + b"\0" * 52,
        b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84html" + b"\0" * 50,
        b"\x1a\x45\xdf\xa3\xff" + b"\x42\x86\x81\x01" * 10,
        b"\x1a\x45\xdf\xa3",
    ],
)
def test_everything_else_is_refused(head: bytes) -> None:
    assert sniff(head) is None


def test_an_element_size_that_points_back_does_not_loop() -> None:
    assert sniff(b"\x1a\x45\xdf\xa3\x9f" + b"\x42\x86\x80" * 20) is None


@given(st.binary(max_size=80))
def test_no_bytes_make_it_fail(head: bytes) -> None:
    assert sniff(head) in {None, Container.MP4, Container.MATROSKA}


@given(st.sampled_from([MP4, MOV, WEBM]), st.integers(0, 63), st.binary(min_size=1, max_size=8))
def test_damaged_heads_are_named_or_refused(head: bytes, at: int, noise: bytes) -> None:
    assert sniff(head[:at] + noise + head[at + len(noise) :]) in {None, Container.MP4, Container.MATROSKA}


def test_the_server_chooses_names_and_demuxers() -> None:
    assert [(c.demuxer, c.suffix, c.media_type) for c in Container] == [
        ("mov", ".mp4", "video/mp4"),
        ("matroska", ".mkv", "video/x-matroska"),
    ]
