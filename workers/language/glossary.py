"""The company's own words: which of them to tell the model, and how to put them right afterwards.

A whole glossary as `hotwords` makes Whisper drop and repeat sentences (measured: word error rate 6.8 % to 24 %
with 45 terms), so `hotwords_for` names a handful. `correct` then replaces what sounds like a term, says what
it changed and why, and leaves everyday words alone: likeness of sound alone never changes one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean

from workers.language.records import Json, Transcript, Word, segment_of
from workers.language.sentences import ends_sentence
from workers.language.sounds import ratio, sound, start_of

HOTWORDS_AT_MOST = 8
SURE = 0.8
DOUBTED = 0.5
UNSURE = 0.65
"""Rare words that were heard rightly (calibrate, handbook) are mostly above, names misheard mostly below."""
ALIKE = 0.8
ALMOST_SAME = 0.9
"""What a rare word must share with a term that the model was sure of: "trolley" and Trello share 0.83."""
SEVERAL_ALIKE = 0.7
"""What several everyday words, or a rare one, must share with a term to be heard again, and to give way to it then."""
A_LITTLE_ALIKE = 0.6
RARE_ALIKE = 0.5
"""What is enough where a word is rare, was doubted or is written as a name ("recroft" and Rexroth share 0.57)."""
LEAST_LETTERS = 4

_POSSESSIVE = re.compile(r"(['’]s)(\W*)$")
_COINED = re.compile("[a-z][A-Z]")
_BEFORE_A_NOUN = frozenset((
    "a", "an", "the", "this", "that", "these", "those", "each", "every", "any", "some", "no",
    "my", "your", "our", "their", "his", "her", "its", "one", "two", "three", "four", "five", "six", "another", "other",
    "both", "all", "several", "many", "few", "more", "most", "such", "what", "which", "whose",
))  # fmt: skip

_LINKS = frozenset((
    "in", "into", "from", "to", "of", "on", "onto", "with", "for", "by", "at", "via", "through", "and", "or",
    "is", "are",
))  # fmt: skip

IsCommon = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or name of the company as it is written, and how people or the model tend to say it."""

    term: str
    sounds_like: tuple[str, ...] = ()


class Rule(StrEnum):
    """Why a word was changed."""

    SAME_LETTERS = "same letters"
    TOLD = "as told"
    SOUNDS_ALIKE = "sounds alike"
    HEARD_AGAIN = "heard again"


@dataclass(frozen=True, slots=True)
class Correction:
    """What was changed for the glossary, at `start_s` seconds; the reviewer sees it and can take it back."""

    start_s: float
    before: str
    after: str
    rule: Rule

    def to_json(self) -> Json:
        return {"start_s": round(self.start_s, 3), "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class _Form:
    """One way in which a term can appear: its letters, its sound, and whether somebody wrote it down."""

    term: str
    letters: str
    sound: str
    words: int
    given: bool


class _Forms:
    """All forms of a glossary, found by their letters or by how their sound begins (5,000 terms are usual)."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._exact: dict[str, list[_Form]] = {}
        self._by_start: dict[str, list[_Form]] = {}
        self.longest = 0
        for term in terms:
            for form in _forms(term):
                self._exact.setdefault(form.letters, []).append(form)
                self._by_start.setdefault(start_of(form.sound), []).append(form)
                self.longest = max(self.longest, form.words)

    def __contains__(self, letters: str) -> bool:
        return letters in self._exact

    def same(self, letters: str) -> list[_Form]:
        return self._exact.get(letters, [])

    def near(self, letters: str, key: str, words: int) -> list[_Form]:
        """Forms of about this length that begin with about this sound."""
        return [
            form
            for form in self._by_start.get(start_of(key), [])
            if abs(len(letters) - len(form.letters)) <= max(2, len(form.letters) // 3)
            and min(len(letters), len(form.letters)) >= LEAST_LETTERS
            and words <= form.words + 2
        ]


class _Heard:
    """Some words in a row, as they were heard: what is compared with the forms of the glossary."""

    def __init__(self, words: Sequence[Word], is_common: IsCommon, before: Sequence[Word] = ()) -> None:
        previous = before[-1] if before else None
        self.bare = [bare(word.text) for word in words]
        self.letters = "".join(self.bare)
        self.sound = sound(self.letters)
        self.whole = all(self.bare) and not any(word.text[-1] in ".,;:?!" for word in words[:-1])
        self.common = all(any(map(str.isdigit, word)) or is_common(word) for word in self.bare)
        self.least = min(word.probability for word in words)
        self.probability = fmean(word.probability for word in words)
        self.after_article = _leads_to_a_noun(before)
        capitals = [text for word, text in zip(words, self.bare, strict=True) if word.text != word.text.lower()]
        self.rare_name = not all(map(is_common, capitals))
        inside = previous is not None and not ends_sentence(previous.text)
        self.name = self.rare_name or (inside and bool(capitals))
        self.unsure = self.rare_name and (inside or self.least < UNSURE)


def _leads_to_a_noun(words: Sequence[Word]) -> bool:
    """Whether `words` end in an article or its like, or with one before the last word: "on a long (work day)"."""
    before = [word.text.lower() for word in words[-2:]]
    if not before or before[-1] in _BEFORE_A_NOUN:
        return bool(before)
    return len(before) > 1 and before[-2] in _BEFORE_A_NOUN and before[-1].isalpha() and before[-1] not in _LINKS


def hotwords_for(
    words: Sequence[Word],
    terms: Iterable[Term],
    *,
    is_common: IsCommon,
    at_most: int = HOTWORDS_AT_MOST,
    least: float = ALIKE,
) -> tuple[str, ...]:
    """The few terms that `words` (a title, a first transcript) make likely, best first.

    `least` (0..1) is how much alike a word must be to a term; several words may be less so (0.7), and those with
    one that is rare or was doubted still less (0.5).
    """
    forms = _Forms(terms)
    best: dict[str, float] = {}
    compared: set[tuple[str, float]] = set()
    for size in range(1, min(forms.longest + 2, len(words)) + 1):
        for at in range(len(words) - size + 1):
            heard = _Heard(words[at : at + size], is_common, words[max(at - 2, 0) : at])
            rare = not heard.common or heard.name or heard.probability < DOUBTED
            enough = min(least, RARE_ALIKE if rare else SEVERAL_ALIKE if size > 1 else least)
            if (heard.letters, enough) in compared:
                continue
            compared.add((heard.letters, enough))
            for form in [*forms.same(heard.letters), *forms.near(heard.letters, heard.sound, size)]:
                alike = _alike(heard.letters, heard.sound, form, enough)
                if alike >= enough:
                    best[form.term] = max(best.get(form.term, 0.0), alike)
    ranked = sorted((-alike, term) for term, alike in best.items())
    return tuple(term for _, term in ranked[:at_most])


def place_of(
    words: Sequence[Word], within: tuple[int, int], term: Term, others: Iterable[Term], is_common: IsCommon
) -> tuple[int, int] | None:
    """Which of `words` (from, to) a term was probably said as, None when none of those `within` is at all like it.

    For places at which a second hearing found the term. What is more like one of the `others` is not taken for it.
    """
    start, end = within
    best, place = 0.0, None
    for form in _forms(term):
        for size in range(1, min(form.words + 3, end - start) + 1):
            for at in range(start, end - size + 1):
                heard = _Heard(words[at : at + size], is_common, words[max(at - 2, 0) : at])
                enough = A_LITTLE_ALIKE if heard.common else RARE_ALIKE
                alike = _alike(heard.letters, heard.sound, form, enough)
                if heard.whole and alike >= enough and alike > best and _believed(heard, form, alike):
                    best, place = alike, (at, at + size)
    letters = "".join(bare(word.text) for word in words[slice(*(place or (0, 0)))])
    key = sound(letters)
    rivals = (form for other in others for form in _forms(other))
    return None if any(_alike(letters, key, rival, 0.0) > best for rival in rivals) else place


def _believed(heard: _Heard, form: _Form, alike: float) -> bool:
    """Whether the model may have meant a term by this: a name, words that it doubted, or that are much like it.

    One everyday word that it was sure of is no term, nor are several behind an article ("graph on a", "a sauna").
    """
    if heard.name or _joined(heard, form):
        return True
    if heard.common and heard.probability < SURE and (heard.least < UNSURE or alike >= ALIKE):
        return True
    noun = heard.common and (len(heard.bare) == 1 or heard.after_article or heard.bare[0] in _BEFORE_A_NOUN)
    return (not heard.common and heard.probability < SURE) or (not noun and alike >= SEVERAL_ALIKE)


def correct(
    transcript: Transcript, terms: Iterable[Term], *, is_common: IsCommon | None = None
) -> tuple[Transcript, list[Correction]]:
    """The transcript with terms written as the company writes them, and every change in order.

    `is_common` says whether a lower-case word belongs to everyday language: that a model knows it whole is a good
    answer (`workers.stages.transcribe.everyday_words`). Without it every word counts as common, and only
    what has the letters of a term is changed. Word times and probabilities stay; the words of a term of several words
    share the time they took.
    """
    forms = _Forms(terms)
    corrections: list[Correction] = []
    segments = []
    for segment in transcript.segments:
        words, changes = _corrected(segment.words, forms, is_common or (lambda _: True))
        corrections += changes
        segments.append(segment_of(words, segment) if changes else segment)
    return replace(transcript, segments=tuple(segments)), corrections


def _corrected(words: Sequence[Word], forms: _Forms, is_common: IsCommon) -> tuple[list[Word], list[Correction]]:
    result: list[Word] = []
    changes: list[Correction] = []
    at = 0
    while at < len(words):
        size, term, rule = _best_match(words, at, forms, is_common)
        heard = words[at : at + size]
        right = written(heard, term) if term else heard
        before = " ".join(word.text for word in heard)
        after = " ".join(word.text for word in right)
        if before == after:
            result += heard
        else:
            changes.append(Correction(heard[0].start_s, before, after, rule))
            result += right
        at += size
    return result, changes


def _best_match(words: Sequence[Word], at: int, forms: _Forms, is_common: IsCommon) -> tuple[int, str, Rule]:
    """How many words from `at` on are a term, the term, and why; (1, "", ...) where nothing fits."""
    best, found, rule = (0.0, 1), "", Rule.SAME_LETTERS
    for size in range(1, min(forms.longest + 2, len(words) - at) + 1):
        for heard_words, ending in _with_and_without_possessive(words[at : at + size]):
            heard = _Heard(heard_words, is_common, words[max(at - 2, 0) : at])
            for form in [*forms.same(heard.letters), *_near(heard, forms)] if heard.whole else []:
                score = _score(heard, form)
                if score > 0 and (score, size) > best:
                    best, found, rule = (score, size), form.term + ending, _rule(heard, form)
    return best[1] if found else 1, found, rule


def _with_and_without_possessive(heard: Sequence[Word]) -> list[tuple[Sequence[Word], str]]:
    found = _POSSESSIVE.search(heard[-1].text)
    if not found:
        return [(heard, "")]
    bare = replace(heard[-1], text=_POSSESSIVE.sub(r"\2", heard[-1].text))
    return [(heard, ""), ([*heard[:-1], bare], found[1])]


def _near(heard: _Heard, forms: _Forms) -> list[_Form]:
    """Forms worth comparing: none where a term stands already, or where all words are everyday ones."""
    if heard.common or any(word in forms for word in (heard.letters, *heard.bare)):
        return []
    return forms.near(heard.letters, heard.sound, len(heard.bare))


def _rule(heard: _Heard, form: _Form) -> Rule:
    if heard.letters != form.letters:
        return Rule.SOUNDS_ALIKE
    return Rule.TOLD if form.given else Rule.SAME_LETTERS


def _score(heard: _Heard, form: _Form) -> float:
    """How surely `heard` is the term, 0 for no."""
    if heard.letters == form.letters:
        return 2.0 if _is_the_term(heard, form) else 0.0
    alike = _alike(heard.letters, heard.sound, form)
    inner = ["".join(heard.bare[1:]), "".join(heard.bare[:-1])] if len(heard.bare) > 1 else []
    if any(_alike(part, sound(part), form) >= alike for part in inner):
        return 0.0
    return alike if alike >= (ALIKE if heard.unsure else ALMOST_SAME) else 0.0


def _is_the_term(heard: _Heard, form: _Form) -> bool:
    """Whether the same letters mean the term: "two teams" are no Teams, and "every work day" is no Workday."""
    if not heard.common:
        return True
    if form.given:
        return heard.least < SURE or (len(heard.bare) > 1 and not heard.after_article)
    return _joined(heard, form) or (len(heard.bare) != form.words and heard.probability < DOUBTED)


def _joined(heard: _Heard, form: _Form) -> bool:
    """Whether words that are everyday ones one by one are a term together: coined, or no noun with its article."""
    together = len(heard.bare) > 1 and heard.letters == form.letters
    return together and (bool(_COINED.search(form.term)) or not heard.after_article)


def _alike(letters: str, key: str, form: _Form, least: float = ALIKE) -> float:
    """0..1 from sound (0.6) and letters (0.4); 1 only for the same letters, 0 for all that stays below `least`."""
    if letters == form.letters:
        return 1.0
    at_best = min(len(key), len(form.sound)) / max(len(key), len(form.sound), 1)  # cheap, and most forms end here
    if not letters or 0.6 * at_best + 0.4 < least:
        return 0.0
    by_sound = ratio(key, form.sound)
    if 0.6 * by_sound + 0.4 < least:
        return 0.0
    return 0.99 * (0.6 * by_sound + 0.4 * ratio(letters, form.letters))


def _forms(term: Term) -> list[_Form]:
    given = [(text, True) for text in term.sounds_like]
    forms = []
    for text, is_given in [(term.term, False), *given]:
        letters = "".join(map(bare, text.split()))
        if letters:
            forms.append(_Form(term.term, letters, sound(letters), len(text.split()), is_given))
    return forms


def bare(text: str) -> str:
    """The letters and digits of a text, lower case and without accents: what is compared."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(character for character in plain.lower() if character.isalnum())


def possessive(heard: str, term: str) -> str:
    """The ending that a term has where `heard` stood: "Haltman's order" is Holtman's, "semen's" is Siemens."""
    found = _POSSESSIVE.search(heard)
    return found[1] if found and not term.endswith("s") else ""


def written(heard: Sequence[Word], term: str) -> list[Word]:
    """A term as words over the time of what was heard, with the punctuation that stood around it."""
    before, after = _around(heard[0].text)[0], _around(heard[-1].text)[1]
    texts = term.split()
    texts[0] = before + texts[0]
    texts[-1] += after
    start_s, end_s = heard[0].start_s, heard[-1].end_s
    if len(texts) == len(heard):
        return [replace(word, text=text) for word, text in zip(heard, texts, strict=True)]
    probability = min(word.probability for word in heard)
    step_s = (end_s - start_s) / len(texts)
    return [Word(start_s + step_s * n, start_s + step_s * (n + 1), text, probability) for n, text in enumerate(texts)]


def _around(text: str) -> tuple[str, str]:
    """Punctuation before and after the letters."""
    found = re.match(r"^(\W*)(.*?)(\W*)$", text)
    return (found[1], found[3]) if found else ("", "")
