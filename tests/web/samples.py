"""Sample views for looking at the pages: every template in every state, with text that is as long as life."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from web import views

NOW = datetime.now(UTC)
EXPERT = views.Person("Ada Novak", "ada.novak@example.org", "expert")
REVIEWER = views.Person("Mia Olsen", "mia.olsen@example.org", "reviewer")
ADMIN = views.Person("Jonas Berg", "jonas.berg@example.org", "admin")
SCRIPT = "<script>window.executed=1</script><img src=x onerror=window.executed=1>"


def before(**spans: float) -> datetime:
    """Return the moment that long ago."""
    return NOW - timedelta(**spans)


TALK = (
    (0, 0.0, 4.6, "Hello, this is how we change the filter on the coolant pump without stopping the line."),
    (0, 4.9, 9.2, "You need a ten millimetre key, a new filter and a cloth."),
    (0, 9.6, 15.0, "Before you begin, tell the shift lead, because the flow alarm will sound for a few seconds."),
    (1, 16.1, 21.4, "First close the blue valve on the left, a quarter turn until it stops."),
    (1, 21.9, 27.0, "Then open the bypass, slowly, and wait until the gauge stands still at two bar."),
    (1, 27.5, 31.8, "If the gauge keeps moving, open the bypass a little more and wait again."),
    (2, 33.0, 38.9, "Now loosen the two screws of the housing and let the rest of the coolant run into the tray."),
    (2, 39.3, 44.0, "Take the old filter out straight, otherwise the seal ring comes with it."),
    (2, 44.6, 49.5, "Wipe the seat, push the new filter in until it clicks, and mind the arrow: it points down."),
    (3, 51.0, 56.2, "Close the housing, by hand first, then with the key, both screws evenly."),
    (3, 56.8, 62.0, "Open the blue valve again, close the bypass, and look for drops for one minute."),
    (3, 62.5, 66.0, "Write the date on the new filter, that is all."),
)
TITLES = ("Get ready", "Close the valve and open the bypass", "Change the filter", "Put back and check")
STARTS = (0.0, 15.6, 32.4, 50.2, 68.0)


def chapters(url: str) -> tuple[views.Chapter, ...]:
    """Return four chapters whose links stay on `url`."""
    return tuple(
        views.Chapter(start, end, title, f"{url}?t={start:g}")
        for start, end, title in zip(STARTS, STARTS[1:], TITLES, strict=False)
    )


def sentences(url: str) -> tuple[views.Sentence, ...]:
    """Return twelve sentences."""
    return tuple(views.Sentence(start, end, text, f"{url}?t={start:g}", index) for index, start, end, text in TALK)


def review_sentences(url: str) -> tuple[views.ReviewSentence, ...]:
    """Return the sentences with words, some of them doubtful, one corrected, one passage removed."""
    doubtful = {"bypass": 0.31, "seal": 0.44, "two": 0.38, "cloth": 0.47}
    out = []
    for index, start, end, text in TALK:
        parts = text.split()
        step = (end - start) / len(parts)
        words = tuple(
            views.Word(
                part,
                start + step * at,
                start + step * (at + 1),
                doubtful.get(part.strip(".,"), 0.96),
                "coal and" if part == "coolant" else None,
            )
            for at, part in enumerate(parts)
        )
        out.append(views.ReviewSentence(start, end, words, f"{url}?t={start:g}", index))
    ghost = tuple(views.Word(word, 66.2, 67.8, 0.2) for word in ("Thanks", "for", "watching"))
    out.append(views.ReviewSentence(66.2, 67.8, ghost, f"{url}?t=66.2", 3, "no speech was heard here"))
    return tuple(out)


SOURCES = (
    views.Source("/media/sample/720p.mp4", 1280, 720),
    views.Source("/media/sample/540p.mp4", 960, 540),
)
LESSONS = tuple(
    views.LessonCard(title, "/lessons/sample", seconds, owner, before(days=days), f"/media/poster/{at}.svg", 4)
    for at, (title, seconds, owner, days) in enumerate(
        (
            ("Change the filter on the coolant pump", 68, "Ada Novak", 1),
            ("Book a day of leave for somebody else", 94, "Samir Haddad", 3),
            ("Reset the label printer when it blinks orange twice and nothing else helps", 45, "Lena Fischer", 6),
            ("Close the month in the ledger", 171, "Tom Okafor", 12),
        )
    )
)
STAGES = (
    views.Stage("probe", "done", seconds=0.4),
    views.Stage("playable", "done", seconds=1.1),
    views.Stage("transcribe", "running", 0.43),
    views.Stage("renditions", "running", 0.71),
    views.Stage("chapter", "waiting"),
    views.Stage("submit", "waiting"),
)
DONE = tuple(views.Stage(stage.name, "done", seconds=3.2) for stage in STAGES)
DEAD = (
    views.Stage("probe", "done", seconds=0.4),
    views.Stage("playable", "done", seconds=1.1),
    views.Stage("transcribe", "dead", error="The speech could not be written down: the sound ends after 2 seconds."),
    views.Stage("renditions", "done", seconds=9.0),
    views.Stage("chapter", "waiting"),
)


def card(number: int, title: str, status: views.Status, **more: object) -> views.RecordingCard:
    """Return a recording card with sensible parts."""
    values: dict[str, object] = {
        "state": {"uploading": "uploading", "processing": "processing", "failed": "failed"}.get(status, "ready"),
        "changed_at": before(minutes=number * 37),
        "duration_s": 68.0 + number,
        "poster_url": f"/media/poster/{number}.svg",
    }
    return views.RecordingCard(f"r{number}", f"/recordings/r{number}", title, status, **(values | more))  # type: ignore[arg-type]


WORKING = card(1, "Change the filter on the coolant pump", "processing", stages=STAGES)
RECORDINGS = (
    card(0, "IMG_4711.MOV", "uploading", poster_url=None, duration_s=None),
    WORKING,
    card(2, "Clean the nozzle", "waiting", stages=DONE),
    card(
        3,
        "Set up the second screen",
        "changes_requested",
        note="Mia Olsen: The menu is not readable at 0:41. Could you zoom in there?",
    ),
    card(4, "Book a day of leave", "published", lesson_url="/lessons/sample"),
    card(
        5,
        "Screen recording 2026-11-20",
        "failed",
        stages=DEAD,
        can_retry=True,
        error="The speech could not be written down. The recording itself is safe. Try again, or record it once more.",
    ),
)
HITS = (
    views.LessonHit(
        "Change the filter on the coolant pump",
        "/lessons/sample",
        68,
        "Ada Novak",
        (
            views.Moment("/lessons/sample?t=21.9&play=1", 21.9, TALK[4][3], "Close the valve and open the bypass"),
            views.Moment("/lessons/sample?t=56.8&play=1", 56.8, TALK[10][3], "Put back and check"),
        ),
        "/media/poster/0.svg",
    ),
    views.LessonHit(
        "Start the coolant line after a holiday",
        "/lessons/sample",
        143,
        "Lena Fischer",
        (views.Moment("/lessons/sample?t=80&play=1", 80.0, "The bypass stays open until both pumps run.", "Warm up"),),
    ),
)
LESSON = views.LessonPage(
    title="Change the filter on the coolant pump",
    url="/lessons/sample",
    owner_name="Ada Novak",
    published_at=before(days=3),
    duration_s=68.0,
    sources=SOURCES,
    chapters=chapters("/lessons/sample"),
    sentences=sentences("/lessons/sample"),
    poster_url="/media/poster/0.svg",
    captions_url="/media/sample/captions.vtt",
)
QUEUE = tuple(
    views.QueueItem("/review/s1", title, owner, seconds, before(hours=hours), flags, claimed, own, poster)
    for title, owner, seconds, hours, flags, claimed, own, poster in (
        (
            "Change the filter on the coolant pump",
            "Ada Novak",
            68,
            52,
            ("7 doubtful words",),
            None,
            False,
            "/media/poster/0.svg",
        ),
        (
            "Screen recording 2026-11-20",
            "Samir Haddad",
            194,
            20,
            ("No speech", "Very quiet"),
            "Per Lind",
            False,
            "/media/poster/1.svg",
        ),
        ("Clean the nozzle", "Mia Olsen", 41, 3, (), None, True, "/media/poster/2.svg"),
    )
)
SUBMISSION = views.SubmissionPage(
    url="/review/s1",
    title="Change the filter on the coolant pump",
    owner_name="Ada Novak",
    waiting_since=before(hours=52),
    duration_s=68.0,
    digest="sha256:4f1c",
    sources=SOURCES,
    chapters=chapters("/review/s1"),
    sentences=review_sentences("/review/s1"),
    comments=(
        views.Comment("Mia Olsen", "Is two bar right for the new pump as well?", before(hours=1), 21.9),
        views.Comment("Ada Novak", "Yes, I asked maintenance.", before(minutes=20)),
    ),
    flags=("7 doubtful words", "1 passage removed"),
    poster_url="/media/poster/0.svg",
    captions_url="/media/sample/captions.vtt",
    left=3,
)
PEOPLE = tuple(
    views.PersonRow(f"/people/{name[0]}", name, email, role, seen, disabled)
    for name, email, role, seen, disabled in (
        ("Jonas Berg", "jonas.berg@example.org", "admin", before(minutes=1), False),
        ("Mia Olsen", "mia.olsen@example.org", "reviewer", before(hours=3), False),
        ("Ada Novak", "ada.novak@example.org", "expert", before(days=2), False),
        ("Old Account", "old@example.org", "learner", None, True),
    )
)
WORK = views.WorkPage(
    stages=(
        views.StageCount("probe"),
        views.StageCount("playable", 1, 0),
        views.StageCount("transcribe", 6, 1, 1, 312.0),
        views.StageCount("renditions", 2, 1, 0, 41.0),
        views.StageCount("chapter"),
    ),
    rows=(
        views.WorkRow(
            "/work/w1",
            "transcribe",
            "running",
            "Change the filter on the coolant pump",
            "/recordings/r1",
            1,
            before(seconds=20),
            0.43,
        ),
        views.WorkRow("/work/w2", "renditions", "waiting", "Clean the nozzle", "/recordings/r2", 1, before(minutes=4)),
        views.WorkRow(
            "/work/w3",
            "transcribe",
            "dead",
            "Screen recording 2026-11-20",
            "/recordings/r5",
            5,
            before(hours=2),
            None,
            "crashed: whisper was killed (out of memory) at 41 s of 194 s",
        ),
    ),
    workers=2,
)
RECORDING = views.RecordingPage(
    card=WORKING,
    size_bytes=48_300_000,
    file_name="pump filter.mp4",
    sources=SOURCES,
    timings=(views.Timing("Playable", 1.2),),
    original_url="/media/sample/original.mp4",
)


def shell(nav: str, person: views.Person | None = EXPERT, **more: object) -> views.Shell:
    """Return what stands around a page."""
    return views.Shell(person=person, nav=nav, waiting_count=3, **more)  # type: ignore[arg-type]


Named = dict[str, tuple[views.Page, views.Shell]]


def pages() -> Named:
    """Return every page in every state, by a name that works in a path."""
    return _door_pages() | _learner_pages() | _expert_pages() | _reviewer_pages()


def _door_pages() -> Named:
    nobody = shell("", None)
    missing = views.ErrorPage(404, "not_found", "This lesson is not there, or it is not for you.")
    broken = views.ErrorPage(
        503, "unavailable", "The database does not answer. Nothing is lost; try again in a minute.", "01JD8Z4K"
    )
    return {
        "sign-in": (views.SignInPage(), nobody),
        "sign-in-confirm": (views.SignInPage("confirm", "/sign-in/x", "Ada"), nobody),
        "sign-in-used": (views.SignInPage("used"), nobody),
        "sign-in-expired": (views.SignInPage("expired"), nobody),
        "sign-in-unknown": (views.SignInPage("unknown"), nobody),
        "error-404": (missing, shell("")),
        "error-503": (broken, nobody),
    }


def _learner_pages() -> Named:
    examples = ("change the pump filter", "printer blinks orange", "book leave for a colleague")
    search = shell("")
    return {
        "home": (views.HomePage(examples, LESSONS, LESSONS[2:3], (WORKING,)), shell("home", REVIEWER)),
        "home-empty": (views.HomePage(), shell("home")),
        "search": (views.SearchPage("open the bypass", views.Answer(True, HITS)), search),
        "search-start": (views.SearchPage(examples=examples), search),
        "search-none": (views.SearchPage("polish the moon", views.Answer(False)), search),
        "search-near": (views.SearchPage("polish the pump", views.Answer(False, HITS[1:])), search),
        "search-asked": (views.SearchPage("polish the moon", asked=True), search),
        "search-error": (views.SearchPage("bypass", error="The words you typed are kept."), search),
        "lesson": (LESSON, shell("home")),
    }


def _expert_pages() -> Named:
    languages = (("", "Find out by itself"), ("en", "English"), ("de", "German"))
    mine = shell("recordings")
    done = views.RecordingPage(
        RECORDINGS[4],
        48_300_000,
        sources=SOURCES,
        chapters=LESSON.chapters,
        sentences=LESSON.sentences,
        timings=(views.Timing("Playable", 1.2), views.Timing("In review", 14.9)),
    )
    return {
        "recordings": (views.RecordingsPage(RECORDINGS), mine),
        "recordings-empty": (views.RecordingsPage(), mine),
        "recording": (RECORDING, mine),
        "recording-uploading": (views.RecordingPage(RECORDINGS[0], 12_000_000), mine),
        "recording-failed": (views.RecordingPage(RECORDINGS[5], 9_100_000, sources=SOURCES), mine),
        "recording-done": (done, mine),
        "upload": (views.UploadPage(4 * 1024**3, languages=languages), shell("upload")),
    }


def _reviewer_pages() -> Named:
    review, people, work = shell("review", REVIEWER), shell("people", ADMIN), shell("work", ADMIN)
    link = "http://127.0.0.1:8000/sign-in/4kJ2nQ8rT1"
    return {
        "queue": (views.QueuePage(QUEUE, 12), review),
        "queue-empty": (views.QueuePage((), 12), review),
        "submission": (SUBMISSION, review),
        "submission-closed": (replace(SUBMISSION, closed="You recorded this, so somebody else decides."), review),
        "people": (views.PeoplePage(PEOPLE), people),
        "people-link": (views.PeoplePage(PEOPLE, link, "Ada Novak"), people),
        "work": (WORK, work),
        "work-empty": (views.WorkPage(), work),
    }


Shown = TypeVar("Shown")


def hostile(value: Shown) -> Shown:
    """Return a view with SCRIPT in place of every text that a person or a machine may have written."""
    if isinstance(value, tuple):
        return tuple(hostile(each) for each in value)  # type: ignore[return-value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    texts = {"title", "text", "name", "owner_name", "author_name", "chapter_title", "error", "note", "reason", "q"}
    texts |= {"file_name", "sentence", "claimed_by", "removed", "corrected_from", "email", "summary", "link_for"}
    changed = {
        each.name: SCRIPT if each.name in texts and held is not None else hostile(held)
        for each in dataclasses.fields(value)
        for held in [getattr(value, each.name)]
        if not (isinstance(value, views.Stage) and each.name == "name")
    }
    return replace(value, **changed)


def lesson_at(start_s: float, *, plays: bool = False) -> views.LessonPage:
    """Return the sample lesson, opened at this moment."""
    return replace(LESSON, start_s=start_s, plays=plays)
