"""Tables of capture: uploads, recordings, and the clips that workers make of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from capture.states import RecordingState
from infra.database import EnumText, UtcDateTime, utc_now


class Upload(SQLModel, table=True):
    """Bytes on their way in (tus). Bytes [0, offset_bytes) are in object storage before the row says so."""

    __tablename__ = "upload"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: UUID = Field(foreign_key="person.id", index=True)
    recording_id: UUID = Field(foreign_key="recording.id", unique=True)
    length_bytes: int | None = Field(default=None, sa_type=BigInteger, description="None: the client will say it later")
    metadata_header: str = Field(default="", sa_type=Text, description="as it came, to be echoed")
    offset_bytes: int = Field(default=0, sa_type=BigInteger)
    # Each request that writes takes the next number; an older one that still hangs can then write nothing.
    writer: int = 0
    multipart_id: str | None = Field(default=None, sa_type=Text)
    parts: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    tail_key: str | None = Field(default=None, sa_type=Text)
    tail_bytes: int = 0
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    completed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Recording(SQLModel, table=True):
    """One take as it was captured, and what was said about it."""

    __tablename__ = "recording"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: UUID = Field(foreign_key="person.id", index=True)
    title: str = Field(sa_type=Text)
    language: str | None = Field(default=None, sa_type=Text, description="ISO 639-1, or None: detect it")
    state: RecordingState = Field(default=RecordingState.UPLOADING, sa_type=EnumText(RecordingState), index=True)
    version: int = Field(default=1, description="counts up with each new take or new run")
    container: str = Field(default="", sa_type=Text)
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    sha256: str | None = Field(default=None, sa_type=Text)
    duration_s: float | None = None
    probe: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    failure_code: str | None = Field(default=None, sa_type=Text)
    failure_text: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    changed_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    uploaded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    playable_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    transcribed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    in_review_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    complete_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def original_key(self) -> str:
        """Where the bytes are, exactly as they came."""
        return f"originals/{self.id}"


class Clip(SQLModel, table=True):
    """What the workers made of one version of a recording."""

    __tablename__ = "clip"
    __table_args__ = (UniqueConstraint("recording_id", "version"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    recording_id: UUID = Field(foreign_key="recording.id", index=True)
    version: int
    duration_s: float
    language: str | None = Field(default=None, sa_type=Text)
    transcript: dict[str, Any] | None = Field(
        default=None, sa_type=JSONB, description="a Transcript of workers/language/records.py"
    )
    chapters: list[dict[str, Any]] | None = Field(
        default=None, sa_type=JSONB, description="start_s, end_s, title and confidence of each"
    )
    captions: str | None = Field(default=None, sa_type=Text, description="WebVTT")
    caption_findings: list[dict[str, Any]] | None = Field(default=None, sa_type=JSONB)
    scene_changes_s: list[float] = Field(default_factory=list, sa_type=JSONB)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class ClipFile(SQLModel, table=True):
    """A file of a clip in object storage: a rendition, the poster, the storyboard, the waveform."""

    __tablename__ = "clip_file"

    clip_id: UUID = Field(foreign_key="clip.id", primary_key=True)
    name: str = Field(sa_type=Text, primary_key=True, description="as in /media/{clip}/{name}")
    kind: str = Field(sa_type=Text, description="video, poster, storyboard, storyboard_vtt or peaks")
    key: str = Field(sa_type=Text)
    media_type: str = Field(sa_type=Text)
    size_bytes: int = Field(sa_type=BigInteger)
    width: int | None = None
    height: int | None = None


class GlossaryTerm(SQLModel, table=True):
    """A term of the company: how it is written, and how it may sound."""

    __tablename__ = "glossary_term"

    key: str = Field(primary_key=True, sa_type=Text, description="the term, case folded")
    term: str = Field(sa_type=Text)
    sounds_like: list[str] = Field(default_factory=list, sa_type=JSONB)
