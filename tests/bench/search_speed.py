"""How long search takes with many lessons; part of `python -m tests.bench.search`.

10,000 lessons of eight passages. Each passage is five sentences of the how-to recordings in which some words are
exchanged for made-up names, so that there are some ten thousand rare words. Its vector is the mean of those of its
sentences and of a direction of its own: passages lie as near to each other as real ones do, and none equals another.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
from numpy.typing import NDArray
from sqlalchemy import text

from accounts.models import Person, Role
from infra.database import Database, Silence, Work, utc_now
from learn.embedding import Embedder
from learn.repository import CANDIDATES
from learn.search import search
from learn.service import packed, vector_literal
from learn.terms import content_words, stem
from tests.builders import a_person

PASSAGES = 8
SENTENCES = 5
NAMES = 10_000
BATCH = 500
WARM = 40
_INDEXES = {
    "passage_words": "passage USING gin (words)",
    "passage_embedding": "passage USING hnsw (embedding halfvec_cosine_ops)",
    "term_embedding": "term USING hnsw (embedding halfvec_cosine_ops)",
}
_NEAR = "SELECT id FROM passage ORDER BY embedding <=> CAST(:vector AS halfvec) LIMIT :limit"


async def speed(
    database: Database, embedder: Embedder, said: list[str], queries: list[str], *, lessons: int
) -> list[dict[str, Any]]:
    """Fill the database, ask every query, and say how long it took: milliseconds and CPU-seconds."""
    async with database.work(Silence()) as work:
        person = await a_person(work, role=Role.EXPERT, email=f"{uuid4()}@example.org")
        there = (await work.session.execute(text("SELECT count(*) FROM passage"))).scalar_one()
    if there == lessons * PASSAGES:  # filled by an earlier run
        return await _nearest(database, embedder, queries) + await _asked(database, embedder, person, queries)
    vectors = await asyncio.to_thread(embedder.embed, said)
    started = time.perf_counter()
    for name in _INDEXES:
        await _do(database, f"DROP INDEX {name}")
    words = await _fill(database, person, said, vectors, lessons)
    await _fill_vocabulary(database, embedder, words, lessons * PASSAGES)
    filled_s = time.perf_counter() - started
    for name, target in _INDEXES.items():
        await _do(database, "SET maintenance_work_mem = '1GB'", f"CREATE INDEX {name} ON {target}")
    indexed_s = time.perf_counter() - started - filled_s
    await _do(database, "ANALYZE")
    rows = [{"figure": "passages", "value": lessons * PASSAGES}, {"figure": "words", "value": len(words)}]
    rows += [
        {"figure": "filled, s", "value": round(filled_s)},
        {"figure": "indexes built, s", "value": round(indexed_s)},
    ]
    rows += await _nearest(database, embedder, queries)
    return rows + await _asked(database, embedder, person, queries)


async def _do(database: Database, *statements: str) -> None:
    async with database.work(Silence()) as work:
        for statement in statements:
            await work.session.execute(text(statement))


async def _fill(
    database: Database, person: Person, said: list[str], vectors: NDArray[np.float32], lessons: int
) -> Counter[str]:
    lot, dice = random.Random(1), np.random.default_rng(1)
    words: Counter[str] = Counter()
    for first in range(0, lessons, BATCH):
        async with database.work(Silence()) as work:
            rows: list[dict[str, Any]] = []
            ids = [uuid4() for _ in range(min(BATCH, lessons - first))]
            await _add_lessons(work, person, ids)
            for lesson_id in ids:
                rows += [_passage(lesson_id, n, said, vectors, lot, dice, words) for n in range(PASSAGES)]
            await work.session.execute(
                text(
                    "INSERT INTO passage (id, lesson_id, position, lesson_title, chapter_title, start_s, end_s, text,"
                    " sentences, words, embedding, sentence_vectors) VALUES (gen_random_uuid(), :lesson_id, :position,"
                    " :lesson_title, :chapter_title, :start_s, :end_s, :text, CAST(:sentences AS jsonb),"
                    " array_to_tsvector(CAST(:words AS text[])), CAST(:embedding AS halfvec), :sentence_vectors)"
                ),
                rows,
            )
    return words


async def _add_lessons(work: Work, person: Person, ids: list[Any]) -> None:
    given = {"ids": ids, "owner": person.id, "now": utc_now()}
    for table, columns, values in (
        (
            "recording",
            "owner_id, title, state, version, container, size_bytes, created_at, changed_at",
            ":owner, 'How to', 'ready', 1, 'mp4', 1, :now, :now",
        ),
        ("clip", "recording_id, version, duration_s, scene_changes_s, created_at", "id, 1, 180, '[]', :now"),
        (
            "lesson",
            "slug, title, recording_id, clip_id, owner_id, state, published_at, confirm_by",
            "id, 'How to', id, id, :owner, 'published', :now, :now",
        ),
    ):
        statement = f"INSERT INTO {table} (id, {columns}) SELECT id, {values} FROM unnest(CAST(:ids AS uuid[])) AS id"
        await work.session.execute(text(statement), given)


def _passage(
    lesson_id: Any,
    number: int,
    said: list[str],
    vectors: NDArray[np.float32],
    lot: random.Random,
    dice: np.random.Generator,
    words: Counter[str],
) -> dict[str, Any]:
    chosen = [lot.randrange(len(said)) for _ in range(SENTENCES)]
    spoken = [_varied(said[row], lot) for row in chosen]
    own = vectors[chosen] + dice.normal(0, 0.5 / np.sqrt(384), (SENTENCES, 384)).astype(np.float32)
    mean = own.mean(axis=0)
    held = content_words(" ".join(spoken))
    words.update(held)
    start_s = 22.0 * number
    return {
        "lesson_id": lesson_id,
        "position": number,
        "lesson_title": "",
        "chapter_title": "",
        "start_s": start_s,
        "end_s": start_s + 25,
        "text": " ".join(spoken),
        "sentences": json.dumps([_sentence(one, start_s + 5 * n) for n, one in enumerate(spoken)]),
        "words": sorted({stem(word) for word in held}),
        "embedding": vector_literal(mean / np.linalg.norm(mean)),
        "sentence_vectors": packed(own),
    }


def _sentence(said: str, start_s: float) -> dict[str, Any]:
    stems = " ".join(sorted({stem(word) for word in content_words(said)}))
    return {"start_s": start_s, "end_s": start_s + 4.5, "text": said, "stems": stems}


def _varied(sentence: str, lot: random.Random) -> str:
    """One word in six becomes a made-up name; low numbers are common, high ones rare."""
    return " ".join(
        _name(min(NAMES - 1, int(lot.expovariate(1) * NAMES / 6))) if lot.random() < 1 / 6 else word
        for word in sentence.split()
    )


def _name(number: int) -> str:
    syllables = ("ba", "ke", "lo", "mi", "nu", "pra", "sto", "tel", "vor", "zin")
    return "".join(syllables[int(digit)] for digit in f"{number:04d}")


async def _fill_vocabulary(database: Database, embedder: Embedder, words: Counter[str], passages: int) -> None:
    """Real words get their vectors; made-up names random ones."""
    dice = np.random.default_rng(2)
    names = {_name(number) for number in range(NAMES)}
    real = [word for word in words if word not in names]
    of = dict(zip(real, await asyncio.to_thread(embedder.embed, real), strict=True))
    listed = list(words)
    literals = [vector_literal(of[word] if word in of else dice.normal(size=384).astype(np.float32)) for word in listed]
    async with database.work(Silence()) as work:
        await work.session.execute(
            text(
                "INSERT INTO term (word, stem, passages, embedding)"
                " SELECT word, stem, passages, CAST(v AS halfvec) FROM"
                " unnest(CAST(:words AS text[]), CAST(:stems AS text[]), CAST(:counts AS int[]),"
                " CAST(:vectors AS text[])) AS given (word, stem, passages, v)"
                " ON CONFLICT (word) DO UPDATE SET passages = term.passages + excluded.passages"
            ),
            {
                "words": [*listed, ""],
                "stems": [*(stem(word) for word in listed), ""],
                "counts": [*(words[word] for word in listed), passages],
                "vectors": [*literals, None],
            },
        )


async def _nearest(database: Database, embedder: Embedder, queries: list[str]) -> list[dict[str, Any]]:
    """HNSW against reading every vector: milliseconds, and how many of the true nearest HNSW finds."""
    chosen = queries[:60]
    literals = [vector_literal(vector) for vector in await asyncio.to_thread(embedder.embed, chosen)]
    times: dict[str, list[float]] = {"exact": [], "hnsw": []}
    shares = []
    async with database.work(Silence()) as work:
        await work.session.execute(text("SELECT set_config('hnsw.ef_search', :width, true)"), {"width": "48"})
        for literal in literals:
            found: dict[str, set[Any]] = {}
            for way, indexes in (("exact", "off"), ("hnsw", "on")):
                await work.session.execute(text(f"SET LOCAL enable_indexscan = {indexes}"))
                started = time.perf_counter()
                rows = await work.session.execute(text(_NEAR), {"vector": literal, "limit": CANDIDATES})
                times[way].append((time.perf_counter() - started) * 1000)
                found[way] = set(rows.scalars())
            shares.append(len(found["exact"] & found["hnsw"]) / CANDIDATES)
    rows_of = [
        {"figure": f"nearest {CANDIDATES}, {way}, ms p50 / p95", "value": _spread(found)}
        for way, found in times.items()
    ]
    return [*rows_of, {"figure": f"recall of HNSW at {CANDIDATES}", "value": round(sum(shares) / len(shares), 3)}]


async def _asked(database: Database, embedder: Embedder, person: Person, queries: list[str]) -> list[dict[str, Any]]:
    """The whole verb, one query after another."""
    for query in queries[:WARM]:
        async with database.work(Silence()) as work:
            await search(work, embedder, person=person, query=query)
    times, answered = [], 0
    async with database.work(Silence()) as work:
        server = psutil.Process((await work.session.execute(text("SELECT pg_backend_pid()"))).scalar_one()).parent()
    assert server is not None, "PostgreSQL runs on this machine"
    own, theirs = time.process_time(), _used_s(server)
    for query in queries:
        started = time.perf_counter()
        async with database.work(Silence()) as work:
            answered += (await search(work, embedder, person=person, query=query)).answered
        times.append((time.perf_counter() - started) * 1000)
    return [
        {"figure": "queries", "value": len(queries)},
        {"figure": "answered", "value": answered},
        {"figure": "search, ms p50 / p95", "value": _spread(times)},
        {"figure": "CPU-ms a query, Python", "value": round((time.process_time() - own) / len(queries) * 1000, 1)},
        {"figure": "CPU-ms a query, PostgreSQL", "value": round((_used_s(server) - theirs) / len(queries) * 1000, 1)},
        {"figure": "load of the machine", "value": round(psutil.getloadavg()[0], 1)},
    ]


def _used_s(server: psutil.Process) -> float:
    """CPU-seconds of the processes of this PostgreSQL."""
    used = [process.cpu_times() for process in server.children(recursive=True)]
    return sum(times.user + times.system for times in used)


def _spread(times: list[float]) -> str:
    return f"{np.percentile(times, 50):.1f} / {np.percentile(times, 95):.1f}"
