"""What kind of file the first bytes say it is. The verdict, never the file's name, decides how it is opened.

Phones, browsers and screen recorders write two families: ISO-BMFF (MP4, MOV) and Matroska (MKV, WebM).
Anything else is refused before a byte of it reaches a media tool.
"""

from __future__ import annotations

from enum import StrEnum

HEAD_BYTES = 64
"""`sniff` needs this many first bytes, or the whole file if it is shorter."""

_EBML_MAGIC = b"\x1a\x45\xdf\xa3"
_EBML_DOC_TYPE = 0x4282
_MATROSKA_DOC_TYPES = {b"matroska", b"webm"}
# Still pictures and raw photos wear the same box format (ISO/IEC 23008-12, AVIF, Canon CR3).
_STILL_PICTURE_BRANDS = {
    b"avif", b"avis", b"crx ", b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevx", b"jp2 ", b"jpm ", b"jpx ",
    b"mif1", b"miaf", b"msf1",
}  # fmt: skip
_LONGEST_FTYP_BYTES = 4096


class Container(StrEnum):
    """A container Lorecast opens."""

    MP4 = "mp4"
    """ISO-BMFF: MP4 and QuickTime."""
    MATROSKA = "matroska"
    """Matroska and WebM."""

    @property
    def demuxer(self) -> str:
        """The value for ffmpeg's `-f` and `-format_whitelist`: no guessing inside ffmpeg."""
        return "mov" if self is Container.MP4 else "matroska"

    @property
    def suffix(self) -> str:
        """The suffix of the name the server chooses; the name on disk changes what ffmpeg does."""
        return ".mp4" if self is Container.MP4 else ".mkv"

    @property
    def media_type(self) -> str:
        """The media type under which the original is handed back to its owner."""
        return "video/mp4" if self is Container.MP4 else "video/x-matroska"


def sniff(head: bytes) -> Container | None:
    """Name the container from the first `HEAD_BYTES` bytes, or None when it is neither of the two."""
    if _is_iso_bmff(head):
        return Container.MP4
    if _is_matroska(head):
        return Container.MATROSKA
    return None


def _is_iso_bmff(head: bytes) -> bool:
    """ISO/IEC 14496-12 §4.3: a `ftyp` box comes first: size, type, major brand, minor version, brands."""
    if len(head) < 16 or head[4:8] != b"ftyp":
        return False
    size = int.from_bytes(head[:4], "big")
    brand = head[8:12]
    well_formed = 16 <= size <= _LONGEST_FTYP_BYTES and size % 4 == 0
    printable = all(0x20 <= byte < 0x7F for byte in brand)
    return well_formed and printable and brand not in _STILL_PICTURE_BRANDS


def _is_matroska(head: bytes) -> bool:
    """RFC 8794 §11.2: an EBML header comes first and its DocType says what the body is."""
    if not head.startswith(_EBML_MAGIC):
        return False
    header = _element_size(head, len(_EBML_MAGIC))
    if header is None:
        return False
    size, position = header
    end = min(len(head), position + size)
    while position < end:
        found = _element(head, position)
        if found is None:
            return False
        identifier, start, length = found
        if identifier == _EBML_DOC_TYPE:
            return head[start : start + length].rstrip(b"\0") in _MATROSKA_DOC_TYPES
        position = start + length
    return False


def _element(data: bytes, position: int) -> tuple[int, int, int] | None:
    """The element at `position` as (identifier, first byte of its body, length of its body)."""
    width = _vint_width(data, position, longest=4)
    if width is None:
        return None
    identifier = int.from_bytes(data[position : position + width], "big")
    sized = _element_size(data, position + width)
    return None if sized is None else (identifier, sized[1], sized[0])


def _element_size(data: bytes, position: int) -> tuple[int, int] | None:
    """The size written at `position` as (size, first byte after it); None when unknown or cut."""
    width = _vint_width(data, position, longest=8)
    if width is None:
        return None
    mask = (1 << (7 * width)) - 1
    size = int.from_bytes(data[position : position + width], "big") & mask
    return None if size == mask else (size, position + width)


def _vint_width(data: bytes, position: int, *, longest: int) -> int | None:
    """The width in bytes of the variable-length number at `position` (RFC 8794 §4)."""
    if position >= len(data) or data[position] == 0:
        return None
    width = 9 - data[position].bit_length()
    return width if width <= longest and position + width <= len(data) else None
