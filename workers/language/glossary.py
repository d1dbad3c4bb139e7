"""The company's own words: which of them to tell the model, and how to put them right afterwards.

A whole glossary as `hotwords` makes Whisper drop and repeat sentences (measured: word error rate 6.8 % to 24 %
with 45 terms), so `hotwords_for` names a handful. `correct` then replaces what sounds like a term, says what
it changed, and leaves alone what is a common word that the model was sure of.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from workers.language.records import Json, Transcript, Word, segment_of

HOTWORDS_AT_MOST = 8
SURE = 0.8
DOUBTED = 0.5
ALIKE = 0.8
LEAST_LETTERS = 4

_POSSESSIVE = re.compile(r"(['’]s)(\W*)$")

IsCommon = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Term:
    """A word or name of the company as it is written, and how people or the model tend to say it."""

    term: str
    sounds_like: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """What `correct` changed, at `start_s` seconds; the reviewer sees it and can take it back."""

    start_s: float
    before: str
    after: str

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
                self._by_start.setdefault(_start(form.sound), []).append(form)
                self.longest = max(self.longest, form.words)

    def __contains__(self, letters: str) -> bool:
        return letters in self._exact

    def same(self, letters: str) -> list[_Form]:
        return self._exact.get(letters, [])

    def near(self, letters: str, key: str, words: int) -> list[_Form]:
        """Forms of about this length that begin with about this sound."""
        return [
            form
            for form in self._by_start.get(_start(key), [])
            if abs(len(letters) - len(form.letters)) <= max(2, len(form.letters) // 3)
            and min(len(letters), len(form.letters)) >= LEAST_LETTERS
            and words <= form.words + 2
        ]


class _Heard:
    """Some words in a row, as they were heard: what is compared with the forms of the glossary."""

    def __init__(self, words: Sequence[Word], is_common: IsCommon) -> None:
        self.bare = [bare(word.text) for word in words]
        self.letters = "".join(self.bare)
        self.sound = sound(self.letters)
        self.whole = all(self.bare) and not any(word.text[-1] in ".,;:?!" for word in words[:-1])
        self.common = all(any(map(str.isdigit, word)) or is_common(word) for word in self.bare)
        self.least = min(word.probability for word in words)
        self.probability = fmean(word.probability for word in words)


def hotwords_for(
    text: str, terms: Iterable[Term], *, at_most: int = HOTWORDS_AT_MOST, least: float = ALIKE
) -> tuple[str, ...]:
    """The few terms that `text` (a title, a request, a first transcript) makes likely, best first.

    `least` (0..1) is how much alike some words of the text must be to a term.
    """
    forms = _Forms(terms)
    words = [Word(0, 0, word) for word in text.split()]
    best: dict[str, float] = {}
    for size in range(1, min(forms.longest + 2, len(words)) + 1):
        for at in range(len(words) - size + 1):
            heard = _Heard(words[at : at + size], lambda _: True)
            for form in [*forms.same(heard.letters), *forms.near(heard.letters, heard.sound, size)]:
                best[form.term] = max(best.get(form.term, 0.0), _alike(heard.letters, heard.sound, form, least))
    ranked = sorted((-alike, term) for term, alike in best.items() if alike >= least)
    return tuple(term for _, term in ranked[:at_most])


def correct(
    transcript: Transcript, terms: Iterable[Term], *, is_common: IsCommon | None = None
) -> tuple[Transcript, list[Correction]]:
    """The transcript with terms written as the company writes them, and every change in order.

    `is_common` says whether a lower-case word belongs to everyday language: one token of the model's vocabulary
    is a good answer (`workers.media.weights.common_words`). Without it every word counts as common, and only
    what the model doubted is changed. Word times and probabilities stay; the words of a term of several words
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
        size, term = _best_match(words, at, forms, is_common)
        heard = words[at : at + size]
        written = _written(heard, term) if term else heard
        before = " ".join(word.text for word in heard)
        after = " ".join(word.text for word in written)
        if before == after:
            result += heard
        else:
            changes.append(Correction(heard[0].start_s, before, after))
            result += written
        at += size
    return result, changes


def _best_match(words: Sequence[Word], at: int, forms: _Forms, is_common: IsCommon) -> tuple[int, str]:
    """How many words from `at` on are a term, and the term; (1, "") where nothing fits."""
    best, found = (0.0, 1), ""
    for size in range(1, min(forms.longest + 2, len(words) - at) + 1):
        for heard_words, ending in _with_and_without_possessive(words[at : at + size]):
            heard = _Heard(heard_words, is_common)
            for form in [*forms.same(heard.letters), *_near(heard, forms)] if heard.whole else []:
                score = _score(heard, form)
                if score > 0 and (score, size) > best:
                    best, found = (score, size), form.term + ending
    return best[1] if found else 1, found


def _with_and_without_possessive(heard: Sequence[Word]) -> list[tuple[Sequence[Word], str]]:
    found = _POSSESSIVE.search(heard[-1].text)
    if not found:
        return [(heard, "")]
    bare = replace(heard[-1], text=_POSSESSIVE.sub(r"\2", heard[-1].text))
    return [(heard, ""), ([*heard[:-1], bare], found[1])]


def _near(heard: _Heard, forms: _Forms) -> list[_Form]:
    """Forms worth comparing: none where a term stands already, or where all words are common and sure."""
    if (heard.common and heard.probability >= SURE) or any(word in forms for word in (heard.letters, *heard.bare)):
        return []
    return forms.near(heard.letters, heard.sound, len(heard.bare))


def _score(heard: _Heard, form: _Form) -> float:
    """How surely `heard` is the term, 0 for no."""
    if heard.letters == form.letters:
        return 2.0 if _is_the_term(heard, form) else 0.0
    alike = _alike(heard.letters, heard.sound, form)
    inner = ["".join(heard.bare[1:]), "".join(heard.bare[:-1])] if len(heard.bare) > 1 else []
    if alike < ALIKE or any(_alike(part, sound(part), form) >= alike for part in inner):
        return 0.0
    if not heard.common:
        return alike
    if len(heard.bare) == 1:  # a common word, however doubted, is more likely itself than a rare name
        return 0.0
    sounds_as_told = form.given and heard.sound == form.sound
    return alike if heard.probability < DOUBTED or sounds_as_told else 0.0


def _is_the_term(heard: _Heard, form: _Form) -> bool:
    """Whether the same letters mean the term: "two teams" are no Teams, and "every work day" is no Workday."""
    if not heard.common or (form.given and len(heard.bare) > 1):
        return True
    if form.given:
        return heard.least < SURE
    return len(heard.bare) != form.words and heard.least < DOUBTED


def _alike(letters: str, key: str, form: _Form, least: float = ALIKE) -> float:
    """0..1 from sound (0.6) and letters (0.4); 1 only for the same letters, 0 for all that stays below `least`."""
    if letters == form.letters:
        return 1.0
    by_sound = _ratio(key, form.sound)
    if not letters or 0.6 * by_sound + 0.4 < least:
        return 0.0
    return 0.99 * (0.6 * by_sound + 0.4 * _ratio(letters, form.letters))


def _ratio(left: str, right: str) -> float:
    return 1.0 - _distance(left, right) / max(len(left), len(right), 1)


def _distance(left: str, right: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


_VOICELESS = str.maketrans("bdgzjv", "ptksXf")
_SOUNDS = tuple(
    (re.compile(pattern), sounds)
    for pattern, sounds in (
        ("^(kn|gn|pn)", "n"), ("^wr", "r"), ("^x", "s"), ("tch|sch|sh|ch", "X"), ("ph", "f"), ("ght", "t"),
        ("dge", "j"), ("th", "0"), ("ck|q", "k"), ("c(?=[eiy])", "s"), ("c", "k"), ("x", "ks"), ("z", "s"),
        ("g(?=[eiy])", "j"), ("(?<=[aeiou])(gh|h|w|y)", ""), ("w(?![aeiouy])", ""), ("[aeiouy]+", "a"),
        ("v", "f"), (r"(.)\1+", r"\1"), ("(?<=.)a$", ""),
    )
)  # fmt: skip


def sound(letters: str) -> str:
    """A rough phonetic key: consonants by sound, every run of vowels as one `a` (after Metaphone, Philips 1990)."""
    for pattern, sounds in _SOUNDS:
        letters = pattern.sub(sounds, letters)
    return letters


def _start(key: str) -> str:
    """The class of a key's first sound; voiced and unvoiced are easily misheard and count as one."""
    return key[:1].translate(_VOICELESS)


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


def _written(heard: Sequence[Word], term: str) -> list[Word]:
    """The term as words over the time of what was heard, with the punctuation that stood around it."""
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
