"""Uploads: opening, finding and dropping them. Their bytes come in through `capture.receiver`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from accounts.models import Person
from accounts.permissions import Action, require
from capture import repository
from capture.models import Recording, Upload
from infra.database import Work, utc_now
from infra.errors import InvalidInput, NotFound, TooLarge, UnsupportedMedia, WrongState
from infra.settings import UploadSettings
from infra.storage import Storage

TITLE_CHARACTERS = 200
_MEDIA_TYPES = frozenset(
    {"video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-m4v", "video/3gpp", "audio/mp4",
     "audio/webm", "audio/x-m4a", "video/matroska"}
)  # fmt: skip


@dataclass(frozen=True)
class NewUpload:
    """What a client says about the bytes it is about to send; `length_bytes` is None when it will say so later."""

    length_bytes: int | None
    media_type: str
    title: str
    language: str | None
    metadata_header: str = ""


async def start_upload(work: Work, *, person: Person, new: NewUpload, settings: UploadSettings) -> Upload:
    """Open an upload and its recording. Permission, size and type are checked before a byte is taken.

    Raises Forbidden, InvalidInput, TooLarge, UnsupportedMedia, WrongState (too many unfinished uploads).
    """
    require(person, Action.RECORD)
    if new.length_bytes is not None:
        check_length(new.length_bytes, settings)
    if new.media_type.split(";")[0].strip().lower() not in _MEDIA_TYPES:
        raise not_a_recording()
    now = utc_now()
    if await repository.count_open_uploads(work, owner_id=person.id, now=now) >= settings.max_open_uploads:
        raise WrongState(
            "You have too many unfinished uploads. Nothing was started. Finish or cancel one first.",
            code="upload.too_many_open",
        )
    recording = Recording(
        owner_id=person.id, title=_clean_title(new.title), language=new.language, size_bytes=new.length_bytes or 0
    )
    work.session.add(recording)
    await work.session.flush()
    upload = Upload(
        owner_id=person.id,
        recording_id=recording.id,
        length_bytes=new.length_bytes,
        metadata_header=new.metadata_header,
        expires_at=now + timedelta(hours=settings.upload_expires_h),
    )
    work.session.add(upload)
    return upload


def check_length(length_bytes: int, settings: UploadSettings) -> None:
    """Raise InvalidInput for an empty file, TooLarge for one beyond the limit."""
    if length_bytes <= 0:
        raise InvalidInput("The file is empty. Nothing was uploaded. Please choose another.", code="upload.empty")
    if length_bytes > settings.max_upload_bytes:
        limit = settings.max_upload_bytes / 1024**2
        raise TooLarge(
            f"The file is larger than the {limit:,.0f} MiB allowed. Nothing was uploaded. Record a shorter clip.",
            code="upload.too_large",
        )


def _clean_title(title: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in title)
    return " ".join(printable.split())[:TITLE_CHARACTERS].strip() or "Untitled recording"


async def get_upload(work: Work, *, person: Person, upload_id: UUID, lock: bool = False) -> Upload:
    """An upload of this person. Raises NotFound; also when its time is over."""
    upload = await repository.find_upload(work, upload_id, owner_id=person.id, lock=lock)
    if upload is None or (upload.completed_at is None and upload.expires_at < utc_now()):
        raise NotFound("There is no such upload, or its time is over. Please start again.", code="upload.not_found")
    return upload


async def cancel_upload(work: Work, storage: Storage, *, person: Person, upload_id: UUID) -> None:
    """Drop an unfinished upload and its bytes. Raises NotFound, WrongState when it is finished."""
    upload = await get_upload(work, person=person, upload_id=upload_id, lock=True)
    if upload.completed_at is not None:
        raise WrongState(
            "This upload is finished. Nothing was deleted. Delete the recording instead.", code="upload.finished"
        )
    await _drop(work, storage, upload)


async def drop_expired(work: Work, storage: Storage, *, limit: int = 20) -> int:
    """Remove unfinished uploads whose time is over, with their bytes. Returns how many."""
    uploads = await repository.expired_uploads(work, now=utc_now(), limit=limit)
    for upload in uploads:
        await _drop(work, storage, upload)
    return len(uploads)


async def _drop(work: Work, storage: Storage, upload: Upload) -> None:
    recording = await work.session.get_one(Recording, upload.recording_id)
    if upload.multipart_id is not None:
        await storage.abort_multipart(recording.original_key, upload.multipart_id)
    # The original is there when a request was cut between joining the parts and saying so.
    await storage.delete([*await storage.keys(tail_prefix(upload.id)), recording.original_key])
    await work.session.delete(upload)
    await work.session.flush()
    await work.session.delete(recording)


def tail_prefix(upload_id: UUID) -> str:
    """Where the tail objects of an upload are."""
    return f"uploads/{upload_id}/"


def clean_language(code: str | None) -> str | None:
    """An ISO 639-1 code in lower case, or None to detect the language. Raises InvalidInput."""
    if not code:
        return None
    lowered = code.strip().lower()
    if not re.fullmatch(r"[a-z]{2}", lowered):
        raise InvalidInput(
            "The language must be a code of two letters, such as en or de. Nothing was started.",
            code="upload.bad_language",
        )
    return lowered


def not_a_recording() -> UnsupportedMedia:
    """The refusal of a file that is none of the containers Lorecast opens."""
    return UnsupportedMedia(
        "This is not a recording Lorecast can take: it must be MP4, MOV, WebM or MKV. Nothing was stored.",
        code="upload.not_a_recording",
    )
