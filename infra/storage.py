"""Object storage over S3: originals, upload parts and everything workers make.

Every call is synchronous boto3 in a thread, so the event loop never waits. Errors are translated here: a missing
object is NotFound, anything else Unavailable. A machine whose clock is wrong signs with the time of the service.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import boto3
import structlog
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3 takes no smaller part but the last.
MIN_PART_BYTES = 5 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
# What the operating system says when there is no room left: the disk, or somebody's share of it.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchBucket"})
Result = TypeVar("Result")
log = structlog.get_logger()


@dataclass(frozen=True)
class Part:
    """A finished part of a multipart upload."""

    number: int
    etag: str
    size_bytes: int


@dataclass(frozen=True)
class StoredObject:
    """What is known of an object without reading it."""

    size_bytes: int
    media_type: str
    etag: str


class _Signer(S3SigV4Auth):
    """Signs with the time of the service, once it has said that the clock of this machine is wrong."""

    off = timedelta()

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        now = datetime.strptime(request.context["timestamp"], SIGV4_TIMESTAMP)  # noqa: DTZ007 - UTC by its format
        request.context["timestamp"] = (now + self.off).strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # not in the stubs

    @classmethod
    def learn(cls, error: BaseException | None) -> bool:
        """Take the service's time from its refusal; False when it refused for another reason."""
        response = getattr(error, "response", {})
        if response.get("Error", {}).get("Code") != "RequestTimeTooSkewed":
            return False
        cls.off = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"]) - datetime.now(UTC)
        log.warning("storage.clock_is_wrong", off_s=round(cls.off.total_seconds()))
        return True


AUTH_TYPE_MAPS["s3v4"] = _Signer


def _in_time(action: Callable[[], Result]) -> Result:
    """Do it, and once more when only the clock was wrong."""
    try:
        return action()
    except (ClientError, Boto3Error) as error:
        if not (_Signer.learn(error) or _Signer.learn(error.__context__)):
            raise
    return action()


class Storage:
    """One bucket of an S3 service."""

    def __init__(self, *, url: str, access_key: str, secret_key: str, bucket: str, region: str) -> None:
        self._bucket = bucket
        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=region,
            config=Config(
                connect_timeout=3,
                read_timeout=30,
                retries={"max_attempts": 3, "mode": "standard"},
                max_pool_connections=32,
                s3={"addressing_style": "path"},
                # Some S3 services refuse the newer default checksums; every original has our own SHA-256.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._transfer = TransferConfig(multipart_threshold=32 * 1024**2, multipart_chunksize=16 * 1024**2)

    async def _call(self, action: Callable[[], Result], key: str) -> Result:
        try:
            return await anyio.to_thread.run_sync(partial(_in_time, action))
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")) in _MISSING:
                raise NotFound("This file is not there any more.", code="storage.not_found") from error
            raise _unavailable(key) from error
        except (BotoCoreError, Boto3Error) as error:
            raise _unavailable(key) from error
        except OSError as error:
            if error.errno in DISK_FULL:
                raise  # the disk of this machine, which the caller knows by name
            raise _unavailable(key) from error

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store a small object."""
        await self._call(
            lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type),
            key,
        )

    async def put_file(self, key: str, path: Path, *, media_type: str) -> None:
        """Store a file of any size."""

        def upload() -> None:
            self._client.upload_file(
                str(path), self._bucket, key, ExtraArgs={"ContentType": media_type}, Config=self._transfer
            )

        await self._call(upload, key)

    async def get(self, key: str) -> bytes:
        """Read a small object. Raises NotFound."""

        def read() -> bytes:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()

        return await self._call(read, key)

    async def get_file(self, key: str, path: Path) -> None:
        """Read an object into a file, which appears whole. Raises NotFound, and OSError when the disk is full."""
        await self._call(lambda: self._client.download_file(self._bucket, key, str(path), Config=self._transfer), key)

    async def head(self, key: str) -> StoredObject:
        """Size and type of an object. Raises NotFound."""
        found = await self._call(lambda: self._client.head_object(Bucket=self._bucket, Key=key), key)
        return StoredObject(found["ContentLength"], found.get("ContentType", ""), found["ETag"].strip('"'))

    async def stream(self, key: str, *, first: int, last: int) -> AsyncIterator[bytes]:
        """Yield the bytes `first`..`last` (both included) in pieces. Raises NotFound before the first piece."""
        body: Any = (
            await self._call(
                lambda: self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={first}-{last}"),
                key,
            )
        )["Body"]
        try:
            while piece := await self._call(lambda: body.read(_CHUNK_BYTES), key):
                yield piece
        finally:
            body.close()

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; missing ones are no error."""
        for key in keys:
            await self._call(lambda key=key: self._client.delete_object(Bucket=self._bucket, Key=key), key)  # type: ignore[misc]

    async def keys(self, prefix: str) -> list[str]:
        """Every key under a prefix."""

        def listing() -> list[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [item["Key"] for page in pages for item in page.get("Contents", [])]

        return await self._call(listing, prefix)

    async def start_multipart(self, key: str, *, media_type: str) -> str:
        """Begin a multipart upload and return its id."""
        started = await self._call(
            lambda: self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=media_type),
            key,
        )
        return started["UploadId"]

    async def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part:
        """Store one part (at least MIN_PART_BYTES unless it is the last)."""
        stored = await self._call(
            lambda: self._client.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=data
            ),
            key,
        )
        return Part(number, stored["ETag"], len(data))

    async def finish_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Join the parts into the object. A lost reply may be asked again: an object of the right size is success."""
        total = sum(part.size_bytes for part in parts)
        listed: Any = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        try:
            await self._call(
                lambda: self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}
                ),
                key,
            )
        except (NotFound, Unavailable):
            if (await self.head(key)).size_bytes != total:
                raise

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """Drop a multipart upload and its parts; one that is gone is no error."""
        try:
            await self._call(
                lambda: self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id),
                key,
            )
        except NotFound:
            return

    async def ping(self) -> None:
        """Raise Unavailable unless the bucket answers."""
        try:
            await self._call(lambda: self._client.head_bucket(Bucket=self._bucket), self._bucket)
        except NotFound as error:
            raise _unavailable(self._bucket) from error


def _unavailable(key: str) -> Unavailable:
    error = Unavailable(
        "The file storage does not answer. What was stored is safe. Please try again in a moment.",
        code="unavailable.storage",
    )
    error.add_note(key)
    return error
