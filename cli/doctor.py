"""`lorecast doctor`: what is there, what is missing, and what to do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from infra import settings as configuration
from infra.errors import LorecastError
from infra.settings import PlatformSettings, SandboxMode, SpeechSettings, WorkSettings
from learn.embedding import Embedder
from web.assets import DIST
from workers.media.sandbox import Sandbox
from workers.media.weights import resolve

_LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `needed`: without it Lorecast does not work."""

    name: str
    ok: bool
    says: str
    needed: bool = True


def report(platform: PlatformSettings, *, as_json: bool) -> int:
    """Print every finding; 0 when all that is needed is there, else 1."""
    looks: tuple[Callable[[PlatformSettings], Finding], ...] = (_ffmpeg, _sandbox, _weights, _embedding, _pages, _room)
    findings = [look(platform) for look in looks]
    bad = [finding for finding in findings if finding.needed and not finding.ok]
    if as_json:
        print(json.dumps({"ok": not bad, "findings": [asdict(finding) for finding in findings]}))
        return bool(bad)
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        sign = "[green]ok     [/]" if finding.ok else "[red]missing[/]" if finding.needed else "[red]careful[/]"
        console.print(f"{sign} {finding.name}: {finding.says}")
    console.print("Everything is there. Start with `lorecast up`." if not bad else f"{len(bad)} to mend.")
    return bool(bad)


def _ffmpeg(_: PlatformSettings) -> Finding:
    path = shutil.which("ffmpeg")
    if path is None or shutil.which("ffprobe") is None:
        return Finding("ffmpeg", ok=False, says="not found; run `apt-get install ffmpeg`")
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False, timeout=10).stdout
    return Finding("ffmpeg", ok=True, says=" ".join(said.split()[:3]))


def _sandbox(_: PlatformSettings) -> Finding:
    mode = configuration.load(WorkSettings).sandbox
    if mode is SandboxMode.NONE:
        says = "switched off by LORECAST_SANDBOX=none: a hostile file could read what the worker can"
        return Finding("sandbox", ok=False, says=says, needed=False)
    try:
        asyncio.run(Sandbox(mode).prove())
    except LorecastError as error:
        return Finding("sandbox", ok=False, says=error.sentence)
    return Finding("sandbox", ok=True, says="bubblewrap holds: no network, no other files, limits work")


def _weights(platform: PlatformSettings) -> Finding:
    name = configuration.load(SpeechSettings).whisper_model
    try:
        folder = resolve(name, platform.data.absolute() / "models")
    except LorecastError as error:
        return Finding("speech model", ok=False, says=error.sentence)
    return Finding("speech model", ok=True, says=f"{name} in {folder}")


def _embedding(_: PlatformSettings) -> Finding:
    try:
        Embedder()
    except LorecastError as error:
        return Finding("sentence model", ok=False, says=error.sentence)
    return Finding("sentence model", ok=True, says="MiniLM, checked by SHA-256")


def _pages(_: PlatformSettings) -> Finding:
    built = (DIST / ".vite" / "manifest.json").exists()
    return Finding("pages", ok=built, says="built" if built else "not built; run `make setup`")


def _room(platform: PlatformSettings) -> Finding:
    folder = platform.data.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    says = f"{free / 1024**3:.0f} GiB free at {Path(platform.data).absolute()}" + ("" if writable else ", not writable")
    return Finding("data folder", ok=writable and free > _LEAST_FREE_BYTES, says=says)
