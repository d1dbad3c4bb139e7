"""Does search find the right second, does it say when nothing answers, and how fast: `python -m tests.bench.search`.

Quality: the how-to recordings of `howto/` (what Whisper heard, where `recordings.json` has it) and the work sessions of
`tinyrec/` as bystanders are indexed like any lesson; the queries of `search_queries.tsv` are asked. The weights and the
threshold of the refusal were fitted on the lessons marked `tune` alone; the others are held back.

Speed: 10,000 lessons with 80,000 passages, made of sentences of the same recordings with nouns exchanged.

    python -m tests.bench.search [--json FILE] [--only quality|speed] [--lessons N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra import migrations
from infra.database import Database, Silence
from infra.embedded import running_platform
from infra.settings import PlatformSettings
from learn import ranking, service
from learn.embedding import Embedder
from learn.passages import passages, texts
from learn.search import find
from tests.bench.howto.make import RECORDINGS, scripts
from tests.bench.search_speed import speed
from tests.builders import a_clip, a_recording
from workers.language.records import Word
from workers.language.sentences import sentences

HERE = Path(__file__).resolve().parent
QUERIES = HERE / "search_queries.tsv"
WITHIN_S = 10.0


@dataclass(frozen=True)
class Talk:
    """Something to index: sentences and chapters with their seconds, and when each true sentence begins."""

    name: str
    title: str
    held_back: bool
    sentences: list[dict[str, Any]]
    chapters: list[dict[str, Any]]
    begins_s: dict[str, float]


@dataclass(frozen=True)
class Asked:
    """A query with its truth (`lesson` and `answer_s` are None when nothing answers), and what came of it."""

    query: str
    kind: str
    held_back: bool
    lesson: str | None
    answer_s: float | None
    places: list[tuple[str, float]]
    evidence: ranking.Evidence | None

    def is_right(self, first: int) -> bool:
        """Whether one of the first hits begins within ten seconds of the truth, in the right lesson."""
        assert self.answer_s is not None
        return any(
            lesson == self.lesson and abs(at_s - self.answer_s) <= WITHIN_S for lesson, at_s in self.places[:first]
        )

    @property
    def is_answered(self) -> bool:
        return self.evidence is not None and ranking.answers(self.evidence)


def talks() -> list[Talk]:
    """Every how-to as it was heard, or as it was written where nobody has spoken it yet; then the work sessions."""
    heard = {one["name"]: one for one in json.loads(RECORDINGS.read_text())} if RECORDINGS.exists() else {}
    found = [_heard(heard[s.name]) if s.name in heard else _read(s) for s in scripts()]
    for path in sorted((HERE / "tinyrec").glob("*.json")):
        said = json.loads(path.read_text())["utterances"]
        found.append(Talk(path.stem, "Work session", False, said, [], {}))
    return found


def _heard(one: dict[str, Any]) -> Talk:
    words = [Word(start_s, end_s, text) for start_s, end_s, text in one["words"]]
    starts = [*(topic["start_s"] for topic in one["topics"]), one["duration_s"]]
    chapters = [
        {"start_s": start_s, "end_s": end_s, "title": topic["title"]}
        for topic, start_s, end_s in zip(one["topics"], starts, starts[1:], strict=False)
    ]
    said = [sentence.to_json() for sentence in sentences(words)]
    begins = {text: start_s for start_s, _, text in one["spoken"]}
    return Talk(one["name"], one["title"], one["held_back"], said, chapters, begins)


def _read(script: Any) -> Talk:
    """The script at a usual pace, for scripts that have no recording."""
    lot, at_s = random.Random(script.name), 0.3
    said, chapters = [], []
    for title, texts_of_topic in script.topics:
        chapters.append({"start_s": at_s, "end_s": 1e6, "title": title})
        for text in texts_of_topic:
            length_s = len(text.split()) * 0.36 + 0.2
            said.append({"start_s": at_s, "end_s": at_s + length_s, "text": text})
            at_s += length_s + lot.choice([0.3, 0.3, 0.8, 1.5])
    begins = {one["text"]: one["start_s"] for one in said}
    return Talk(script.name, script.title, script.held_back, said, chapters, begins)


async def index(database: Database, embedder: Embedder, talk: Talk) -> str:
    """Publish and index a talk by the verbs that workers use; returns its slug."""
    drafts = passages(talk.sentences, talk.chapters, lesson_title=talk.title)
    vectors = await asyncio.to_thread(embedder.embed, texts(drafts))
    async with database.work(Silence()) as work:
        recording = await a_recording(work, title=talk.title)
        clip = await a_clip(work, recording=recording)
        lesson = await service.publish(
            work, recording_id=recording.id, clip_id=clip.id, owner_id=recording.owner_id, title=talk.title
        )
        await service.index_lesson(work, lesson_id=lesson.id, drafts=drafts, vectors=vectors)
        return lesson.slug


async def ask(database: Database, embedder: Embedder, known: dict[str, Talk], slugs: dict[str, str]) -> list[Asked]:
    """Ask every query of the file."""
    results = []
    for number, line in enumerate(QUERIES.read_text().splitlines()[1:]):
        name, kind, query, answer = line.split("\t")
        async with database.work(Silence()) as work:
            found = await find(work, embedder, query)
        places = [(slugs[moment.passage.slug], moment.start_s) for lesson in found.lessons for moment in lesson]
        held_back = known[name].held_back if name in known else number % 3 == 0
        at_s = known[name].begins_s[answer] if answer else None
        results.append(Asked(query, kind, held_back, name if answer else None, at_s, places[:10], found.evidence))
    return results


def rows(results: list[Asked]) -> Iterator[dict[str, Any]]:
    """One line of the table for each part and kind of query."""
    for held_back in (False, True):
        part = [one for one in results if one.held_back is held_back]
        answerable = [one for one in part if one.lesson]
        nothing = [one for one in part if not one.lesson]
        for kind in (*sorted({one.kind for one in answerable}), "shared words", "all"):
            shared = kind == "shared words"  # all but the paraphrases, which avoid the words of the answer
            some = [one for one in answerable if kind in {one.kind, "all"} or (shared and one.kind != "paraphrase")]
            yield {
                "part": "held back" if held_back else "tuned on",
                "kind": kind,
                "queries": len(some),
                "first": _share([one.is_right(1) for one in some]),
                "in three": _share([one.is_right(3) for one in some]),
                "refused": _share([not one.is_answered for one in some]),
                "found but refused": _share([not one.is_answered for one in some if one.is_right(3)]),
            }
        for kind in (*sorted({one.kind for one in nothing}), "nothing answers"):
            some = [one for one in nothing if kind in {one.kind, "nothing answers"}]
            refused = _share([not one.is_answered for one in some])
            part_name = "held back" if held_back else "tuned on"
            yield {"part": part_name, "kind": kind, "queries": len(some), "refused": refused}


def trade_off(results: list[Asked]) -> Iterator[dict[str, Any]]:
    """What other thresholds, set on the tuned part, would refuse on the part held back."""
    tuned = sorted(_odds(one) for one in results if one.lesson and not one.held_back)
    held = [one for one in results if one.held_back]
    for wanted in (0.02, 0.05, 0.1, 0.15, 0.2):
        least = tuned[round(wanted * len(tuned))]
        yield {
            "answerable refused, tuned on": wanted,
            "answerable refused, held back": _share([_odds(one) < least for one in held if one.lesson]),
            "nothing answers, refused, held back": _share([_odds(one) < least for one in held if not one.lesson]),
        }


def _odds(one: Asked) -> float:
    return ranking.odds(one.evidence) if one.evidence else float("-inf")


def _share(marks: list[bool]) -> float:
    return round(sum(marks) / len(marks), 3) if marks else float("nan")


async def quality(database: Database, embedder: Embedder) -> tuple[list[dict[str, Any]], list[Asked]]:
    """Index everything, ask everything."""
    known = {talk.name: talk for talk in talks()}
    slugs = {await index(database, embedder, talk): talk.name for talk in known.values()}
    results = await ask(database, embedder, known, slugs)
    return list(rows(results)), results


def print_table(found: list[dict[str, Any]]) -> None:
    """Lines of equal columns."""
    columns = list(dict.fromkeys(column for row in found for column in row))
    lines = [columns, *[[str(row.get(column, "")) for column in columns] for row in found]]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


@contextmanager
def _database_url(given: str | None) -> Iterator[str]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder), given=PlatformSettings()) as endpoints:
        yield endpoints.database_url


async def main() -> None:
    """Print the tables, and write them as JSON where asked to."""
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    given.add_argument("--json", type=Path)
    given.add_argument("--only", choices=["quality", "speed"])
    given.add_argument("--lessons", type=int, default=10_000)
    given.add_argument("--database", help="an empty database to use instead of starting one")
    options = given.parse_args()
    found: dict[str, Any] = {}
    with _database_url(options.database) as url:
        database = Database(url)
        await migrations.upgrade(database)
        embedder = await asyncio.to_thread(Embedder, threads=1)
        if options.only != "speed":
            found["quality"], results = await quality(database, embedder)
            found["queries"] = [asdict(one) for one in results]
            print_table(found["quality"])
            found["trade-off"] = list(trade_off(results))
            print_table(found["trade-off"])
        if options.only != "quality":
            said = list(dict.fromkeys(one["text"] for talk in talks() for one in talk.sentences))
            asked = [line.split("\t")[2] for line in QUERIES.read_text().splitlines()[1:]]
            found["speed"] = await speed(database, embedder, said, asked, lessons=options.lessons)
            print_table(found["speed"])
        await database.close()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
