"""Makes the development sets for chapters: `uv run --group samples python -m tests.bench.howto.make`.

`scripts/`, `scripts_2/` and `scripts_3/` hold what is said, topic by topic. A bundled voice speaks it, the real
Whisper base writes down what it hears, and `recordings.json`, `recordings_2.json` and `recordings_3.json` keep both
beside each other, so that methods are compared without hours of speech. Recordings whose script is as it was are
kept. The sound stays in build/.

Each set was written when the held-back part of the one before had been looked at too often. Of the second, the third
whose names have the least hashes is held back; of the last, everything.

Where topics turn is known by construction. Nothing else may give it away, so pauses and changes of the screen
are drawn by lot (seeded by the name): most turns have a pause or a change, many have none, and most pauses and
changes are no turn.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samples.voice import Spoken, speak
from workers.language.guards import apply
from workers.language.records import Transcript
from workers.media import weights
from workers.media.whisper import Whisper

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[2] / "build" / "howto"
SLOWNESS = 1.2  # about 150 words a minute, as people speak while they show something
SCRIPTS = HERE / "scripts"
RECORDINGS = HERE / "recordings.json"
SCRIPTS_2 = HERE / "scripts_2"
RECORDINGS_2 = HERE / "recordings_2.json"
SCRIPTS_3 = HERE / "scripts_3"
RECORDINGS_3 = HERE / "recordings_3.json"


@dataclass
class Script:
    """What is said in a recording: a list of topics, each a title and its sentences."""

    name: str
    title: str
    held_back: bool
    topics: list[tuple[str, list[str]]]

    @classmethod
    def parse(cls, name: str, text: str) -> Script:
        """Read `set:` (first set only) and `title:`, then `## topic` lines, each followed by one sentence a line."""
        head, *blocks = text.split("\n## ")
        fields = dict(line.split(": ", 1) for line in head.splitlines() if line)
        topics = []
        for block in blocks:
            topic, *said = block.strip().splitlines()
            topics.append((topic, said))
        return cls(name, fields["title"], fields.get("set") == "held", topics)

    @property
    def texts(self) -> list[str]:
        return [text for _, said in self.topics for text in said]

    @property
    def turns(self) -> list[int]:
        """Indexes of the first sentences of the topics, the first one included."""
        starts = [0]
        for _, said in self.topics[:-1]:
            starts.append(starts[-1] + len(said))
        return starts


def scripts(folder: Path = SCRIPTS) -> list[Script]:
    """Return the scripts of a set by name; which of the second are held back is drawn here, of the third all are."""
    found = [Script.parse(path.stem, path.read_text()) for path in sorted(folder.glob("*.txt"))]
    for script in found:
        script.held_back |= folder == SCRIPTS_3
    if folder == SCRIPTS_2:
        drawn = sorted(found, key=lambda script: hashlib.sha256(f"held back: {script.name}".encode()).digest())
        for script in drawn[: len(found) // 3]:
            script.held_back = True
    return found


def draw_pauses(script: Script) -> list[float]:
    """Return the pause before each sentence in seconds, drawn by lot."""
    lot = random.Random(f"pauses of {script.name}")
    pauses_s = []
    for index in range(len(script.texts)):
        kinds = (35, 40, 25) if index in script.turns else (72, 20, 8)
        low_s, high_s = lot.choices([(0.12, 0.45), (0.6, 1.2), (1.2, 2.6)], kinds)[0]
        pauses_s.append(round(lot.uniform(low_s, high_s), 2))
    return pauses_s


def draw_scene_changes(script: Script, times_s: Sequence[tuple[float, float]]) -> list[float]:
    """Return when the screen changes, in seconds: near 60 % of the turns and in 20 % of other sentences.

    `times_s` are start and end of each sentence.
    """
    lot = random.Random(f"screens of {script.name}")
    changes_s = []
    for index, (start_s, end_s) in enumerate(times_s):
        if index in script.turns:
            if index and lot.random() < 0.6:
                changes_s.append(start_s + lot.uniform(-0.8, 1.2))
        elif lot.random() < 0.2:
            changes_s.append(lot.uniform(start_s, end_s))
    return [round(changed_s, 2) for changed_s in sorted(changes_s)]


async def hear(whisper: Whisper, wav: Path) -> Transcript:
    """Return what the pipeline would keep of the speech in `wav`."""
    pcm = wav.with_suffix(".16k.wav")
    await asyncio.to_thread(_resample, wav, pcm)
    raw = await whisper.transcribe(pcm, language="en")
    return apply(raw, raw.speech)


def _resample(wav: Path, pcm: Path) -> None:
    sound = ["-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le"]
    subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-i", wav, *sound, pcm], check=True)


def record(script: Script, spoken: Spoken, heard: Transcript) -> dict[str, Any]:
    """Return a recording as it is kept: truth, and what was heard as [start_s, end_s, word]."""
    return {
        "name": script.name,
        "title": script.title,
        "held_back": script.held_back,
        "duration_s": round(spoken.duration_s, 2),
        "topics": [
            {"start_s": round(spoken.times[first][0], 2) if first else 0.0, "title": title}
            for first, (title, _) in zip(script.turns, script.topics, strict=True)
        ],
        "spoken": [
            [round(start_s, 2), round(end_s, 2), text]
            for (start_s, end_s), text in zip(spoken.times, script.texts, strict=True)
        ],
        "scene_changes_s": draw_scene_changes(script, spoken.times),
        "words": [[round(word.start_s, 2), round(word.end_s, 2), word.text] for word in heard.words],
    }


async def make(whisper: Whisper, folder: Path, into: Path) -> None:
    """Speak and hear the scripts of a set that are new or changed; can be stopped and started again."""
    old = {one["name"]: one for one in json.loads(into.read_text())} if into.exists() else {}
    kept = []
    for script in (every := scripts(folder)):
        one = old.get(script.name)
        if one is None or [text for *_, text in one["spoken"]] != script.texts:
            spoken = await asyncio.to_thread(speak, script.texts, draw_pauses(script), after_s=1.0, slowness=SLOWNESS)
            one = record(script, spoken, await hear(whisper, spoken.write(BUILD / f"{script.name}.wav")))
        kept.append({**one, "held_back": script.held_back})
        print(f"{script.name}: {one['duration_s']:.0f} s, {len(script.topics)} topics", flush=True)
        rest = [old[later.name] for later in every[len(kept) :] if later.name in old]
        lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in [*kept, *rest])
        into.write_text(f"[\n{lines}\n]\n")


async def main() -> None:
    """Make all sets."""
    folder = await asyncio.to_thread(weights.resolve, weights.BUNDLED, BUILD)
    async with Whisper(folder, name="base") as whisper:
        await make(whisper, SCRIPTS, RECORDINGS)
        await make(whisper, SCRIPTS_2, RECORDINGS_2)
        await make(whisper, SCRIPTS_3, RECORDINGS_3)


if __name__ == "__main__":
    asyncio.run(main())
