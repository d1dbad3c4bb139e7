"""The digest of exactly what a reviewer saw. A verdict for another digest is refused."""

from __future__ import annotations

import hashlib
import json

from capture.models import Clip, Recording


def clip_digest(recording: Recording, clip: Clip) -> str:
    """SHA-256 over the take, the title, the transcript, the captions and the chapters (hexadecimal)."""
    seen = {
        "original": recording.sha256,
        "title": recording.title,
        "version": clip.version,
        "transcript": clip.transcript,
        "captions": clip.captions,
        "chapters": clip.chapters,
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
