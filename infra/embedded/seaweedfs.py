"""SeaweedFS out of its wheel: one process that is master, volume server, filer and S3 door.

It keeps files in volumes that grow up to 1 GB each and are not preallocated: an empty store takes kilobytes.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.embedded import server
from infra.embedded.folder import Folder
from infra.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PORTS = (
    "seaweedfs-s3",
    "seaweedfs-s3-grpc",
    "seaweedfs-filer",
    "seaweedfs-filer-grpc",
    "seaweedfs-volume",
    "seaweedfs-volume-grpc",
    "seaweedfs-master",
    "seaweedfs-master-grpc",
)
_READY_KEY = ".lorecast/ready"


def start(folder: Folder, ports: dict[str, int], *, bucket: str) -> server.Server:
    """Start SeaweedFS on 127.0.0.1 and make the bucket. Raises Unavailable, Misconfigured."""
    home = folder.part("seaweedfs")
    (home / "data").mkdir(mode=0o700, exist_ok=True)
    _write_identities(folder, home / "identities.json")
    client = _client(folder, ports["seaweedfs-s3"])
    return server.start(
        "SeaweedFS",
        [_program(), "server", *_options(ports)],
        folder=folder,
        answers=lambda: _answers(client, ports["seaweedfs-s3"], bucket),
        cwd=home,
        env=_environment(folder, home),
        # At once its volumes are closed; then its filer waits in vain for the last word of its own S3 door.
        grace_s=1.5,
        afterwards=lambda: _remove_sockets(ports),
        wait_s=90,
    )


def _environment(folder: Folder, home: Path) -> dict[str, str]:
    # Settings in /etc/seaweedfs or the user's home must not leak in; WEED_ variables win over files. The keys close the
    # side doors (filer and volumes over HTTP) to other users of the machine; its gRPC ports on loopback have no lock.
    key = folder.secrets.seaweedfs
    names = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
    locks = {f"WEED_JWT_{name}_KEY": key for name in names}
    # A learner may pause a video in the middle of a reply: the pass for the rest of it must not have expired.
    patience = {f"WEED_JWT_{name}_EXPIRES_AFTER_SECONDS": "86400" for name in names}
    return {"HOME": str(home), **locks, **patience}


def _options(ports: dict[str, int]) -> list[str]:
    by_part = [
        f"-{part}.port{suffix}={ports[f'seaweedfs-{part}{kind}']}"
        for part in ("master", "volume", "filer", "s3")
        for suffix, kind in (("", ""), (".grpc", "-grpc"))
    ]
    return [
        "-dir=data",  # below its own folder; a comma in an absolute path would make two of it
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *by_part,
        "-master.peers=none",  # one master: no election to wait for
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=1024",
        "-master.volumePreallocate=false",
        "-volume.max=4000",  # no limit but the disk: it stops taking files when 1 % is left
        "-volume.preStopSeconds=0",
        "-filer",
        "-s3",
        "-s3.config=identities.json",
        "-s3.iam=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]


def _write_identities(folder: Folder, file: Path) -> None:
    keys = {"accessKey": folder.secrets.s3_access_key, "secretKey": folder.secrets.s3_secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    file.touch(mode=0o600)
    file.write_text(json.dumps({"identities": [{"name": "lorecast", "credentials": [keys], "actions": actions}]}))


def _client(folder: Folder, port: int) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=folder.secrets.s3_access_key,
        aws_secret_access_key=folder.secrets.s3_secret_key,
        region_name="us-east-1",
        config=Config(
            connect_timeout=2,
            read_timeout=10,
            retries={"max_attempts": 1},
            s3={"addressing_style": "path"},
            proxies={},
        ),
    )


def _answers(client: S3Client, port: int, bucket: str) -> bool:
    """True when an object can be read, after making it the first time: the door opens before there is a volume."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            pass
        try:
            client.get_object(Bucket=bucket, Key=_READY_KEY)["Body"].read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code == "NoSuchBucket":
                client.create_bucket(Bucket=bucket)
            if code in {"NoSuchBucket", "NoSuchKey"}:
                client.put_object(Bucket=bucket, Key=_READY_KEY, Body=b"ready")
            return False
    except (OSError, BotoCoreError, ClientError):
        return False
    return True


def _program() -> Path:
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("weed")
    if found is None:
        raise Misconfigured(
            "SeaweedFS is not installed. Run `make setup`, or set LORECAST_S3_URL.",
            code="misconfigured.seaweedfs",
        )
    return Path(found)


def _remove_sockets(ports: dict[str, int]) -> None:
    """Each of its doors is a socket in /tmp too, whatever TMPDIR says, and it leaves some of them there."""
    for port in ports.values():
        for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
            with suppress(OSError):
                socket_file.unlink()
