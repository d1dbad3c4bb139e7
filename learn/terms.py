"""Words as search sees them: folded, without accents, reduced to a stem; the same for queries and for lessons.

Nothing here depends on the language of a clip: Snowball's English stemmer (BSD licence) leaves most words of other
languages as they are, and what it does not unite is found by likeness (`likeness`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import snowballstemmer

MAX_LETTERS: Final = 40

_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f]")
_APOSTROPHES = re.compile("['\u2019\u02bc]")
# Scripts written without spaces: a run of them is cut into pairs of characters.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_STEMMER = snowballstemmer.stemmer("english")

# Words that say how something is asked, not what: they neither help to find a passage nor to tell that it answers.
_STOPWORDS: Final = frozenset(
    """
    a about above after again against all also always am an and any anybody anyone anything are around as at be
    became because become been before being below between both but by can cannot cant come comes could did didnt do
    does doesnt doing done dont down during each either else ever every everything few find for from further get
    gets getting give gives go goes going gonna gotta had has have havent having he her here hers herself hey hi him
    himself his how however i id if ill im in instead into is isnt it its itself ive just know let lets like look
    make makes making many may maybe me might mine more most much must my myself need needed needs neither never no
    nor not now of off often oh ok okay on once one only onto or other our ours out over own please properly quite
    rather really right same say see shall she should show shows so some somebody someone something sometimes
    somewhere still such sure take takes tell than thank thanks that thats the their them themselves then there
    theres these they thing things this those through to together too toward under until up upon us use used using
    very via want wanted wants was wasnt way ways we well were what whats when where wheres whether which while who
    whom whose why will with within without wont would yes yet you your yours yourself explain der das den dem des
    ein eine einen einem einer eines und oder ist sind wie wo warum wann welche welcher welches ich du er sie es wir
    ihr mich mir man nicht kein keine mit von vom zu zum zur auf ins aus bei nach le la les un une et ou est sont
    pourquoi quand quel quelle je tu il elle nous vous ils elles ne pas que qui dans sur pour avec au aux ce cette
    el los las uno y o como donde por porque cuando cual yo en del al se lo gli e di che perche quando non het een
    hoe waar waarom wanneer ik op voor niet te
    """.split()  # noqa: SIM905 - a list of three hundred strings reads worse
)


def fold(text: str) -> str:
    """Lower case, compatibility forms united, Latin accents and apostrophes removed."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _APOSTROPHES.sub("", _MARKS.sub("", decomposed)))


def words(text: str) -> list[str]:
    """The folded words of a text in order, none longer than `MAX_LETTERS`."""
    found: list[str] = []
    for word in _WORD.findall(fold(text)):
        if word.isascii():
            found.append(word[:MAX_LETTERS])
        else:
            found.extend(piece[:MAX_LETTERS] for piece in _pieces(word))
    return found


def _pieces(word: str) -> list[str]:
    pieces, end = [], 0
    for run in _UNSPACED.finditer(word):
        pieces.append(word[end : run.start()])
        text = run.group()
        pieces.extend(text[at : at + 2] for at in range(max(1, len(text) - 1)))
        end = run.end()
    pieces.append(word[end:])
    return [piece for piece in pieces if piece]


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of one folded word; words with digits are names ("e42") and stay whole."""
    if not word.isascii() or not word.isalpha():
        return word
    found: str = _STEMMER.stemWord(word)
    return found


def terms(text: str) -> list[str]:
    """The stems of every word of a text, in order, stopwords too."""
    return [stem(word) for word in words(text)]


def content_words(text: str) -> set[str]:
    """The folded words that say what a text is about."""
    return {word for word in words(text) if not is_stopword(word)}


def is_stopword(word: str) -> bool:
    """Whether a folded word says nothing about the matter: a function word, or a single Latin letter."""
    return word in _STOPWORDS or (len(word) == 1 and word.isascii() and word.isalpha())


def likeness(asked: str, known: str) -> float:
    """How surely `asked` means the other word `known`: 1 equal, 0 no relation.

    A slip of one letter counts from four letters on, two slips from eight; one word may also begin with the other
    ("drucker" and "druckertreiber"). What holds digits must be equal.
    """
    if asked == known:
        return 1.0
    if not (asked.isalpha() and known.isalpha()) or min(len(asked), len(known)) < 3:
        return 0.0
    slips = edits(asked, known)
    allowed = 0 if len(asked) < 4 else 1 if len(asked) < 8 else 2
    if slips <= allowed:
        return (0.85 if slips == 1 else 0.7) - (0.0 if asked[0] == known[0] else 0.15)
    short, long = sorted((asked, known), key=len)
    if len(short) >= 4 and long.startswith(short):
        return 0.7 if len(long) - len(short) <= 3 else 0.5
    return 0.0


@lru_cache(maxsize=8192)
def nearly_stopword(word: str) -> bool:
    """Whether a word is a function word with one slip ("wher", "witout")."""
    return len(word) >= 4 and any(
        abs(len(word) - len(known)) <= 1 and len(known) >= 4 and edits(word, known) <= 1 for known in _STOPWORDS
    )


def edits(one: str, other: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour to turn one word into the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
