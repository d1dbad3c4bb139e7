"""The self-test of the sandbox: it tries to break out, on this machine, before any upload is touched."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import Misconfigured, Rejected, Transient
from workers.media.confinement import Limits

if TYPE_CHECKING:
    from workers.media.sandbox import Sandbox

_LIMITS = Limits(wall_s=20, no_progress_s=None, memory_bytes=256 << 20, cpu_s=10, output_bytes=1 << 20)
_FFMPEG = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error")
_NEEDED = {
    "-encoders": ("libx264", "aac", "mjpeg"),
    "-decoders": ("h264", "hevc", "vp8", "vp9", "aac", "opus"),
    "-filters": ("zscale", "tonemap", "mpdecimate", "ebur128", "scdet", "tile", "alimiter"),
}
_INSTALL = "Debian and Ubuntu: apt-get install ffmpeg bubblewrap."
_NAMESPACES = (
    "The media sandbox does not start: {why} Install bubblewrap and allow user namespaces for it "
    "(in a container: run with --security-opt seccomp=unconfined or as a privileged worker; on Ubuntu 24.04 "
    "and later: sysctl kernel.apparmor_restrict_unprivileged_userns=0), or, knowing that a hostile file could "
    "then read what the worker can read, set LORECAST_SANDBOX=none."
)


async def prove(sandbox: Sandbox) -> None:
    """Raise Misconfigured when the tools are missing, a limit does not hold, or the fence has a hole."""
    with tempfile.TemporaryDirectory(prefix="lorecast-proof-") as name:
        folder = Path(name)
        await _starts(sandbox)
        await _has_tools(sandbox)
        await _limits_hold(sandbox, folder)
        if sandbox.mode == "bubblewrap":
            await _hides_files(sandbox, folder)
            await _writes_only_output(sandbox, folder)
            await _has_no_network(sandbox)


async def _starts(sandbox: Sandbox) -> None:
    try:
        await sandbox.run(["true"], inputs={}, output=None, limits=_LIMITS)
    except (Transient, Rejected) as failure:
        raise Misconfigured(_NAMESPACES.format(why=failure.detail.strip()), code="media.sandbox") from failure


async def _has_tools(sandbox: Sandbox) -> None:
    if not await _succeeds(sandbox, "ffprobe", "-version"):
        raise Misconfigured(f"ffprobe does not run in the sandbox. {_INSTALL}", code="media.ffmpeg")
    for kind, names in _NEEDED.items():
        try:
            listed = await sandbox.run([*_FFMPEG, kind], inputs={}, output=None, limits=_LIMITS)
        except (Transient, Rejected) as failure:
            raise Misconfigured(f"ffmpeg does not run in the sandbox. {_INSTALL}", code="media.ffmpeg") from failure
        known = {line.split()[1] for line in listed.stdout.decode().splitlines() if len(line.split()) > 1}
        missing = [name for name in names if name not in known]
        if missing:
            raise Misconfigured(
                f"This ffmpeg has no {', '.join(missing)}. Use the distribution's full build. {_INSTALL}",
                code="media.ffmpeg",
            )


async def _limits_hold(sandbox: Sandbox, folder: Path) -> None:
    output = folder / "limits"
    output.mkdir()
    if await _succeeds(sandbox, "dd", "if=/dev/null", "of=/dev/null", "bs=600M"):
        raise Misconfigured("The memory limit of the media sandbox does not hold.", code="media.sandbox")
    if await _succeeds(sandbox, "dd", "if=/dev/urandom", "of=out/big", "bs=64k", "count=64", output=output):
        raise Misconfigured("The file size limit of the media sandbox does not hold.", code="media.sandbox")


async def _hides_files(sandbox: Sandbox, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text(secrets.token_hex())
    for path in (secret, Path("/etc/passwd"), Path("/proc/self/environ")):
        if await _succeeds(sandbox, "cat", str(path)):
            raise Misconfigured(f"The media sandbox can read {path}.", code="media.sandbox")


async def _writes_only_output(sandbox: Sandbox, folder: Path) -> None:
    output, source = folder / "output", folder / "source"
    output.mkdir()
    source.write_text("unchanged")
    if not await _succeeds(sandbox, "cp", "in/source", "out/copy", inputs={"source": source}, output=output):
        raise Misconfigured("The media sandbox cannot write its output folder.", code="media.sandbox")
    for target in ("in/source", "in/other", "other", "/usr/lorecast", "/lorecast", str(folder / "other")):
        if await _succeeds(sandbox, "cp", "out/copy", target, inputs={"source": source}, output=output):
            raise Misconfigured(f"The media sandbox can write {target}.", code="media.sandbox")


async def _has_no_network(sandbox: Sandbox) -> None:
    hits: list[object] = []

    def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"tcp://127.0.0.1:{port}?timeout=1000000"
        reached = await _succeeds(sandbox, *_FFMPEG, "-f", "s16le", "-i", url, "-f", "null", "-")
    if reached or hits:
        raise Misconfigured("The media sandbox reaches the network.", code="media.sandbox")


async def _succeeds(
    sandbox: Sandbox, *argv: str, inputs: dict[str, Path] | None = None, output: Path | None = None
) -> bool:
    try:
        await sandbox.run(argv, inputs=inputs or {}, output=output, limits=_LIMITS)
    except (Rejected, Transient):
        return False
    return True
