"""How right words and chapters of the samples are: `python -m tests.bench.words`.

Each sample goes through the same code as in a worker: sandboxed sound, Whisper with the bundled model, guards,
sentences, chapters. Word error rate after Whisper's own English normaliser (whisper-normalizer), by jiwer.
"""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from capture.container import HEAD_BYTES, sniff
from infra.settings import SandboxMode
from learn.embedding import Embedder
from tests.bench.howto.metrics import matches
from workers.language.chapters import chapters
from workers.language.guards import apply
from workers.language.sentences import sentences
from workers.media.audio import extract_audio
from workers.media.probe import MediaLimits, probe
from workers.media.sandbox import Sandbox
from workers.media.weights import resolve
from workers.media.whisper import Whisper

ROOT = Path(__file__).parents[2]


async def measure() -> list[dict[str, Any]]:
    """One row for each sample."""
    model = await asyncio.to_thread(resolve, "bundled", ROOT / "build" / "models")
    embedder = Embedder()
    async with Whisper(model, name="bundled") as whisper:
        truths = sorted((ROOT / "samples").glob("*.truth.json"))
        return [await _one(truth, whisper, embedder) for truth in truths]


async def _one(truth_file: Path, whisper: Whisper, embedder: Embedder) -> dict[str, Any]:
    truth = json.loads(truth_file.read_text())
    name = truth_file.name.removesuffix(".truth.json")
    file = next(path for path in truth_file.parent.glob(f"{name}.*") if path.suffix in {".mp4", ".mov", ".webm"})
    sandbox = Sandbox(SandboxMode.BUBBLEWRAP)
    container = sniff(file.read_bytes()[:HEAD_BYTES])
    assert container is not None
    began, cpu_before_s = time.monotonic(), _cpu_s()
    with tempfile.TemporaryDirectory() as folder:
        info = await probe(sandbox, file, container, limits=MediaLimits())
        sound = await extract_audio(sandbox, file, info, Path(folder))
        assert sound is not None
        raw = await whisper.transcribe(sound.pcm)
    heard = apply(raw, raw.speech)
    said = sentences(heard.segments)
    found = chapters(said, embedder.embed([one.text for one in said]), duration_s=info.duration_s)
    normal = EnglishTextNormalizer()
    reference = normal(" ".join(one["text"] for one in truth["transcript"]))
    cuts_s, true_s = [one.start_s for one in found[1:]], [one["start_s"] for one in truth["steps"][1:]]
    return {
        "figure": name,
        "words": len(reference.split()),
        "wer": round(jiwer.wer(reference, normal(heard.text)), 4),
        "chapters": len(found),
        "true chapters": len(truth["steps"]),
        "cuts within 5 s": f"{matches(cuts_s, true_s, 5.0)} of {len(true_s)}",
        "cuts within 10 s": f"{matches(cuts_s, true_s, 10.0)} of {len(true_s)}",
        "titles": " | ".join(one.title for one in found),
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(_cpu_s() - cpu_before_s, 1),
    }


def _cpu_s() -> float:
    """CPU-seconds of this process and what it has waited for; the model's own process is not in it."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


if __name__ == "__main__":
    for line in asyncio.run(measure()):
        print(line)
