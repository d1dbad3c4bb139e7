"""Makes the sample recordings and their truth: `uv run --group samples python -m samples.make [NAME …]`.

A bundled voice speaks `narration.json`; Chromium plays the drawn screens (`screens/`) in step with it.

- expense-report.mp4: a screen recording, H.264/AAC that can be copied as it is
- label-printer.mov: held upright on a phone: the coded picture lies on its side, the header says "turn it",
  and the metadata tell where it was taken and with what
- share-calendar.webm: from a real MediaRecorder, which writes no duration

Beside each, NAME.truth.json: {title, language, duration_s, transcript: [{start_s, end_s, text}],
steps: [{start_s, title}], search: [{query, start_s, sentence}]}; all times in seconds.
"""

from __future__ import annotations

import base64
import json
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from samples.voice import RATE_HZ, Spoken, speak

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "samples"
FPS = 30
AFTER_S = 2.2  # the picture stays this long after the last word


@dataclass(frozen=True)
class Narration:
    """A narration and its sound."""

    name: str
    data: dict[str, Any]
    texts: list[str]
    spoken: Spoken

    @property
    def duration_s(self) -> float:
        return self.spoken.duration_s

    def wav(self) -> Path:
        return self.spoken.write(BUILD / f"{self.name}.wav")


def narrate(name: str) -> Narration:
    """Return the spoken narration `name`, with the pause that it asks for before each sentence."""
    data = json.loads((HERE / "narration.json").read_text())[name]
    planned = [(pause_s, text) for _, said in data["steps"] for pause_s, text in said]
    pauses_s, texts = [pause_s for pause_s, _ in planned], [text for _, text in planned]
    return Narration(name, data, texts, speak(texts, pauses_s, after_s=AFTER_S))


def film(page: Page, told: Narration, screen: str, *, fps: int = FPS) -> Path:
    """Photograph a screen wherever it changes; return the list of pictures that ffmpeg reads."""
    folder = BUILD / told.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _open(page, told, screen)
    shots: list[list[Any]] = []
    before = None
    for frame in range(round(told.duration_s * fps)):
        key = page.evaluate("t => seek(t)", frame / fps)
        if key != before:
            picture = folder / f"{frame:05}.png"
            page.screenshot(path=str(picture))
            shots.append([picture, 0])
            before = key
        shots[-1][1] += 1
    lines = [f"file '{picture}'\nduration {count / fps:.6f}\n" for picture, count in shots]
    listing = folder / "pictures.txt"
    listing.write_text("ffconcat version 1.0\n" + "".join(lines) + f"file '{shots[-1][0]}'\n")
    return listing


def _open(page: Page, told: Narration, screen: str) -> None:
    page.goto((HERE / "screens" / screen).as_uri())
    page.evaluate("cues => { window.cues = cues; plan(); }", [start_s for start_s, _ in told.spoken.times])


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)], check=True)


def expense_report(told: Narration) -> Path:
    """A 1080p screen recording: H.264 High 4.0, closed groups of two seconds, AAC, index in front."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 1280, "height": 720}, device_scale_factor=1.5)
        listing = film(page, told, "expense.html")
        browser.close()
    made = HERE / "expense-report.mp4"
    ffmpeg(
        *("-f", "concat", "-safe", "0", "-i", listing, "-i", told.wav()),
        *("-vf", f"fps={FPS},scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"),
        *("-c:v", "libx264", "-preset", "slow", "-profile:v", "high", "-level:v", "4.0", "-crf", "21"),
        *("-g", str(2 * FPS), "-keyint_min", str(2 * FPS), "-sc_threshold", "0", "-flags", "+cgop"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-ac", "2"),
        *("-t", f"{told.duration_s:.3f}", "-movflags", "+faststart", made),
    )
    return made


def label_printer(told: Narration) -> Path:
    """A phone held upright: 1280×720 on its side + "turn by 90 degrees", a shaky hand, place and device."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": 600, "height": 1066}, device_scale_factor=1.5)
        listing = film(page, told, "printer.html", fps=15)
        browser.close()
    made = HERE / "label-printer.mov"
    # The window that is cut out of the picture wanders like a hand: slow sway, faster tremble, a slow approach.
    sway_x = "(iw-ow)/2+22*sin(t*0.9)+11*sin(t*2.3+1)+4*sin(t*7.1)"
    sway_y = "(ih-oh)/2+18*sin(t*0.7+2)+10*sin(t*1.9)+4*sin(t*6.3+1)"
    camera = f"fps={FPS},crop=810:1440:x='{sway_x}':y='{sway_y}',scale=720:1280:flags=bicubic"
    light = "unsharp=5:5:-0.4,eq=contrast=1.04:saturation=0.92:gamma=0.97,vignette=PI/6,noise=alls=5:allf=t"
    ffmpeg(
        *("-f", "concat", "-safe", "0", "-i", listing, "-i", told.wav()),
        *("-vf", f"{camera},{light},transpose=cclock,format=yuv420p"),
        *("-c:v", "libx264", "-preset", "slow", "-profile:v", "high", "-crf", "26", "-g", str(FPS)),
        *("-c:a", "aac", "-b:a", "64k", "-ar", "44100", "-t", f"{told.duration_s:.3f}"),
        *("-metadata", "com.apple.quicktime.location.ISO6709=+52.5163+013.3777+034.000/"),
        *("-metadata", "com.apple.quicktime.make=Example", "-metadata", "com.apple.quicktime.model=Phone 7"),
        *("-metadata", "com.apple.quicktime.creationdate=2026-11-02T14:05:11+0100"),
        *("-movflags", "+use_metadata_tags", made),
    )
    _turn(made)
    return made


def _turn(path: Path) -> None:
    """Write "turn by 90 degrees clockwise" into the header of the picture track (ISO 14496-12, tkhd matrix)."""
    content = bytearray(path.read_bytes())
    upright = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    turned = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 720 << 16, 0, 0x40000000)
    at = content.index(upright, content.index(b"tkhd"))
    content[at : at + len(turned)] = turned
    path.write_bytes(content)


RECORD_JS = """
async ([sound, seconds]) => {
  const audio = new AudioContext();
  await audio.resume();
  const bytes = Uint8Array.from(atob(sound), (c) => c.charCodeAt(0));
  const source = audio.createBufferSource();
  source.buffer = await audio.decodeAudioData(bytes.buffer);
  const speaker = audio.createMediaStreamDestination();
  source.connect(speaker);
  const video = { frameRate: 30, width: 1280, height: 720 };
  const tab = await navigator.mediaDevices.getDisplayMedia({ video, preferCurrentTab: true });
  const both = new MediaStream([...tab.getVideoTracks(), ...speaker.stream.getAudioTracks()]);
  const recorder = new MediaRecorder(both, { mimeType: "video/webm;codecs=vp8,opus", videoBitsPerSecond: 700000 });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  await new Promise((resolve) => { recorder.onstart = resolve; recorder.start(1000); });
  source.start();
  const zero = performance.now();
  await new Promise((resolve) => {
    const step = () => {
      const t = (performance.now() - zero) / 1000;
      seek(Math.min(t, seconds));
      if (t < seconds) requestAnimationFrame(step); else resolve();
    };
    step();
  });
  recorder.stop();
  await stopped;
  const reader = new FileReader();
  await new Promise((resolve) => { reader.onload = resolve; reader.readAsDataURL(new Blob(parts)); });
  return reader.result.split(",")[1];
}
"""


def share_calendar(told: Narration) -> Path:
    """A tab recorded by the browser itself: VP8 and Opus in a WebM that says nothing about its length."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--auto-accept-this-tab-capture", "--autoplay-policy=no-user-gesture-required"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        _open(page, told, "calendar.html")
        page.set_default_timeout(0)
        sound = base64.b64encode(told.wav().read_bytes()).decode()
        recorded = page.evaluate(RECORD_JS, [sound, told.duration_s])
        browser.close()
    made = HERE / "share-calendar.webm"
    made.write_bytes(base64.b64decode(recorded))
    return made


def late_s(made: Path, told: Narration) -> float:
    """Return by how much the sound in the recording comes later than in the narration (a recorder starts late)."""
    raw = ["-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-loglevel", "error", "-"]
    sound = subprocess.run(["ffmpeg", "-i", made, *raw], check=True, capture_output=True).stdout
    loud = np.flatnonzero(np.abs(np.frombuffer(sound, dtype=np.int16).astype(np.int32)) > 300)
    expected = np.flatnonzero(np.abs(told.spoken.samples.astype(np.int32)) > 300)
    return float(loud[0] - expected[0]) / RATE_HZ


def write_truth(told: Narration, shift_s: float) -> None:
    """Write what is true of a recording beside it; its sound is `shift_s` later than the narration."""
    heard = [(start_s + shift_s, end_s + shift_s) for start_s, end_s in told.spoken.times]
    starts = iter(heard)
    steps: list[dict[str, object]] = []
    for title, said in told.data["steps"]:
        times = [next(starts) for _ in said]
        steps.append({"start_s": round(times[0][0], 2) if steps else 0.0, "title": title})
    lines = [
        {"start_s": round(start_s, 2), "end_s": round(end_s, 2), "text": text}
        for (start_s, end_s), text in zip(heard, told.texts, strict=True)
    ]
    search = [
        {"query": query, "start_s": lines[at]["start_s"], "sentence": lines[at]["text"]}
        for query, at in told.data["search"]
    ]
    truth = {
        "title": told.data["title"],
        "language": "en",
        "duration_s": round(told.duration_s + shift_s, 2),
        "transcript": lines,
        "steps": steps,
        "search": search,
    }
    path = HERE / f"{told.name}.truth.json"
    path.write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n")


RECORDINGS = {
    "expense-report": expense_report,
    "label-printer": label_printer,
    "share-calendar": share_calendar,
}


def main() -> None:
    """Make the recordings that are named, or all of them."""
    for name in sys.argv[1:] or RECORDINGS:
        told = narrate(name)
        made = RECORDINGS[name](told)
        write_truth(told, late_s(made, told))
        print(f"{made.name}: {told.duration_s:.1f} s, {made.stat().st_size / 1e6:.2f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
