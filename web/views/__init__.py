"""What each page shows: one frozen record a page, filled by the pages from the services, rendered by `templating`.

Times are aware UTC datetimes, lengths are seconds as floats, addresses are paths on this site. Every optional part is
None (or empty) when it is not there yet; the templates show a state for that. Forms post to:

    POST /sign-in/{token}                      SignInPage.action
    POST /sign-out
    POST /requests                             q
    POST /recordings/{id}/retry                RecordingCard.url + "/retry"
    POST /recordings/{id}/delete
    POST /review/{id}/verdict                  decision, text, digest
    POST /review/{id}/comments                 text, at_s
    POST /people                               email, name, role
    POST /people/{id}/link                     PersonRow.url + "/link"
    POST /work/{id}/retry, /work/{id}/cancel   WorkRow.url + …
"""

from web.views.admin import PeoplePage, PersonRow, StageCount, WorkPage, WorkRow
from web.views.home import HomePage
from web.views.learn import Answer, LessonCard, LessonHit, LessonPage, Moment, SearchPage
from web.views.page import (
    Chapter,
    ErrorPage,
    Page,
    Person,
    Sentence,
    Shell,
    SignInPage,
    Source,
    StageState,
    Status,
    Theme,
)
from web.views.recordings import RecordingCard, RecordingPage, RecordingsPage, Stage, Timing, UploadPage
from web.views.review import DOUBT, Comment, QueueItem, QueuePage, ReviewSentence, SubmissionPage, Word

__all__ = [
    "DOUBT",
    "Answer",
    "Chapter",
    "Comment",
    "ErrorPage",
    "HomePage",
    "LessonCard",
    "LessonHit",
    "LessonPage",
    "Moment",
    "Page",
    "PeoplePage",
    "Person",
    "PersonRow",
    "QueueItem",
    "QueuePage",
    "RecordingCard",
    "RecordingPage",
    "RecordingsPage",
    "ReviewSentence",
    "SearchPage",
    "Sentence",
    "Shell",
    "SignInPage",
    "Source",
    "Stage",
    "StageCount",
    "StageState",
    "Status",
    "SubmissionPage",
    "Theme",
    "Timing",
    "UploadPage",
    "Word",
    "WorkPage",
    "WorkRow",
]
