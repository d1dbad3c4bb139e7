"""Every setting of Lorecast: one small frozen class per concern, read from `LORECAST_…` variables.

A wrong value, or a `LORECAST_…` variable that nobody reads, is refused at start (`load`). `docs/operations.md` lists
them all; a test holds the two together.
"""

from __future__ import annotations

import difflib
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.errors import Misconfigured

PREFIX = "LORECAST_"


def _is_web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must look like https://learn.example.org")
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_is_web_address)]


class SandboxMode(StrEnum):
    """How uploads are kept away from the machine while ffmpeg reads them."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"


class Settings(BaseSettings):
    """Base of all settings: frozen, from the environment, prefixed."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)


class PlatformSettings(Settings):
    """Where data lives. Each address that is not set is served by the embedded platform."""

    data: Path = Field(Path(".data"), description="Folder of everything the embedded platform keeps.")
    database_url: str | None = Field(
        None, description="PostgreSQL, `postgresql+asyncpg://…`; needs pgvector, pg_trgm, unaccent."
    )
    valkey_url: str | None = Field(None, description="Valkey or Redis, `redis://…`.")
    s3_url: WebAddress | None = Field(None, description="Address of an S3 service.")
    s3_access_key: str = Field("", description="Access key for S3.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key for S3.")
    s3_bucket: str = Field(
        "lorecast", description="Bucket for originals and renditions.", pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$"
    )
    s3_region: str = Field("us-east-1", description="Region for S3.")


class WebSettings(Settings):
    """The web process."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: WebAddress | None = Field(None, description="Address people type; default `http://HOST:PORT`.")
    session_days: int = Field(30, ge=1, le=365, description="A session ends this many days after sign-in.")
    session_idle_days: int = Field(7, ge=1, le=365, description="A session ends after this many days without use.")
    sign_in_link_min: int = Field(30, ge=1, le=1440, description="Minutes a one-time sign-in link works.")


class UploadSettings(Settings):
    """What may be uploaded."""

    max_upload_bytes: int = Field(4 * 1024**3, ge=1024, description="Largest recording accepted, in bytes.")
    upload_expires_h: int = Field(48, ge=1, le=720, description="Hours an unfinished upload is kept.")
    max_open_uploads: int = Field(20, ge=1, le=1000, description="Unfinished uploads one person may have.")


class WorkSettings(Settings):
    """How a worker works."""

    lease_s: float = Field(60.0, ge=1, le=600, description="Seconds a claimed stage is safe without a heartbeat.")
    heartbeat_s: float = Field(15.0, ge=0.2, le=200, description="Seconds between heartbeats.")
    poll_s: float = Field(2.0, ge=0.1, le=60, description="Seconds between looks at the ledger when no bell rings.")
    max_strikes: int = Field(
        6, ge=1, le=50, description="Strikes until a stage is dead; a failure is one, a crash two."
    )
    scratch: Path | None = Field(None, description="Folder for work files; default a folder in LORECAST_DATA.")
    sandbox: SandboxMode = Field(SandboxMode.BUBBLEWRAP, description="`bubblewrap`, or `none` where there is none.")
    max_duration_s: float = Field(3600.0, ge=1, description="Longest recording accepted, in seconds.")
    encode_threads: int = Field(2, ge=1, le=64, description="Threads for one encode.")
    encode_slots: int = Field(
        1, ge=1, le=64, description="Encodes a worker runs at a time, and a short one beside long ones."
    )
    speech_slots: int = Field(
        1, ge=1, le=16, description="Transcriptions a worker runs at a time, and a short one beside long ones."
    )
    quick_slots: int = Field(2, ge=1, le=64, description="Short stages one worker runs at a time.")


class SpeechSettings(Settings):
    """Speech to text."""

    whisper_model: str = Field(
        "bundled", description="`bundled` (multilingual base), a folder, or a model name from the hub."
    )
    whisper_threads: int = Field(2, ge=1, le=64, description="Windows of speech heard at once, a core each.")
    whisper_beam: int = Field(1, ge=1, le=10, description="Beam size: 1 is fast, 5 a little more accurate.")


class LogSettings(Settings):
    """Logs and traces."""

    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    otlp_url: WebAddress | None = Field(None, description="OpenTelemetry collector (OTLP over HTTP) for traces.")


class ClientSettings(Settings):
    """Where clients such as `lorecast ingest` find the server."""

    url: WebAddress = Field("http://127.0.0.1:8000", description="Address of the server.")
    token: SecretStr | None = Field(None, description="Bearer token, from `lorecast token create`.")


ALL: tuple[type[Settings], ...] = (
    PlatformSettings,
    WebSettings,
    UploadSettings,
    WorkSettings,
    SpeechSettings,
    LogSettings,
    ClientSettings,
)

# Read by make and the test suite, not by a settings class.
OTHER_NAMES = frozenset({"LORECAST_FAILPOINT", "LORECAST_TEST_KEEP"})

AnySettings = TypeVar("AnySettings", bound=Settings)


def load(kind: type[AnySettings], **overrides: object) -> AnySettings:
    """Read one settings class; raises Misconfigured with one sentence naming the variable and what is wrong."""
    _refuse_unknown()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(
            f"The setting {name} is wrong: {first['msg']}. Nothing was started. See docs/operations.md.",
            code="misconfigured.setting",
        ) from error


def setting_names() -> dict[str, type[Settings]]:
    """Name of each environment variable → the class that reads it."""
    return {PREFIX + field.upper(): kind for kind in ALL for field in kind.model_fields}


def shown_default(value: object) -> str:
    """A default as `docs/operations.md` shows it; a dash for none."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "–" if value in {None, ""} else f"`{value}`"


def _refuse_unknown() -> None:
    known = setting_names().keys() | OTHER_NAMES
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Misconfigured(
                f"There is no setting {name}.{hint} Nothing was started. See docs/operations.md.",
                code="misconfigured.unknown_setting",
            )
