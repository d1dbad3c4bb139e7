"""Titles of chapters: verb and object, taken from what is said.

A spoken step names itself: "Now open the expense portal", "I will show you how to reset the printer". The
phrase that begins with a verb of doing, comes early, and holds the words that set this chapter apart from the
others becomes its title; without one, such a phrase inside a sentence ("while it is open, I wipe the seat"), and
without that, the clause that says most.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from workers.language.records import Sentence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LONGEST: Final = 45  # characters; what one line of the player's chapter list holds

# Verbs that name a step, with what each is worth: "click" and "go" say less than "submit".
_STRONG: Final = _words(
    """accept activate add adjust align answer apply approve archive arrange assemble assign attach back book
    boot brew bring build calculate calibrate call cancel change charge check choose clean clear clip close
    collect combine compare complete configure confirm connect convert copy count cover create cut declare
    defrost delete deliver describe detach dilute disable disconnect dismiss dispose drain draw dry edit empty
    enable enter erase escalate estimate explain export fasten feed file fill filter find finish fit fix flush
    fold format forward freeze generate grant grease greet group hang handle heat hire hold identify import
    inspect install invite invoice isolate issue join label lay level lift link list load lock log loosen
    lower mark match measure merge mix mount move mute name notify onboard order organise organize pack paint
    park pause pay pin plan plug polish post pour prepare prime print process publish pull pump purge push
    rearm rebook recharge reconcile record recycle refill refund register reject release remove rename renew
    reorder repair replace reply report request reserve reset resolve restart restock restore return review
    revoke rinse rotate route run sanitise sanitize save scan schedule screw seal search secure select send
    separate set share sharpen ship shut sign silence sort split spray stack stamp staple start stop store
    submit swap sweep switch tag take tare test tighten tip transfer translate trim turn type unblock
    undo unlock unpack unplug unscrew update upgrade upload vacuum validate vent verify wash water weigh wipe
    wrap write zero bleed jack splice bend bind brush carry catch chalk chop clamp cook cool cross dip dock drag drill
    drive drop duplicate dust examine expand extend fetch flip fold grab grind hammer hook insert iron jog knead knock
    lean listen paste peel phone place plant plug punch rake reduce refresh rehearse retighten roll rub sew shake
    shape sharpen slice slide snip soak spread squeeze steer stir strip swirl taste thread tie tilt touch tread tune
    twist unhook unload unwind wind"""
)
_WEAK: Final = _words("click do get give go keep let look make open press put see tap use")
VERBS: Final = _STRONG | _WEAK  # the weights of `turns` are fitted to these
_MORE: Final = _words(
    """ask borrow consult debug deploy dial discard discuss double-click evacuate hit inform interview knot mop note
    offer operate pick propose redact relax remind rescue ring scrape scratch shorten smooth solder stretch tape time
    unfold unroll warm warn wheel zip"""
)
_LABEL_VERBS: Final = _words("choose click hit pick press select tap tick")
_DETERMINERS: Final = _words("a an any each every my new our the these this those your")
_VAGUE: Final = _words(
    "another anything both everything it mine more one ones other others ours some something them thing things yours"
)
_LEANING: Final = _words("her his its their")
_NO_OBJECT: Final = _words(
    """after ahead around as at back before by clockwise during from forward halfway outside straight till under until
    upwards within"""
)
_PRONOUNS: Final = _words("her him it me sure them us you")
_NOT_OBJECTS: Final = _words("it this that them these those here there sure a an the to")

_GERUND: Final = re.compile(r"^([a-z]+?)(?:([bdfglmnprt])\2)?ing$")
_LEAD_IN: Final = re.compile(
    r"^(?:(?:okay|ok|alright|all right|good|great|right|so|and|but|now|next|then|first|firstly|second|"
    r"secondly|third|thirdly|finally|lastly|last|after that|once that is done|again|also|just|simply|please|always|"
    r"step \w+ is to|step \w+|the (?:first|second|third|fourth|fifth|next|last|final) "
    r"(?:step|thing|part|job)(?: (?:you do|to do|we do))? is(?: to)?|"
    r"today|in this (?:video|clip|lesson)|you (?:need|have|want|will want) to|you can|you should|you must|"
    r"you|we|i|i'll|we'll|i will|we will|let's|let us|let me|go ahead and|make sure (?:to|you)|remember to|"
    r"don't forget to|be sure to|(?:i am|i'm|we are|we're|you are|you're) going to|"
    r"(?:show you |learn |explain |see |is |know )?how (?:to|you|we|i)|"
    r"it is time to|it's time to|time to|carefully|quickly|gently|slowly|briefly|"
    r"(?:start|begin|finish|continue|carry on) (?:by|with)|i(?:'ll| will) show you|i want to)[,:]?\s+)+"
)
_INSIDE: Final = re.compile(
    r"\b(?:how to|how you|how we|how i|show you|need to|have to|want to|going to|time to|let's|let us|in order to|"
    r"ready to|step is to|and|then)\s+(?=[a-z])"
)
_CLAUSE_END: Final = re.compile(
    r"[,.;:!?()]|\s(?:and|or|but|so|because|before|after|when|while|until|if|then|which|that|where|as|unless|"
    r"who|whose|since|what|how|why|whether|till|like|than|instead|meanwhile|otherwise|you|we|i|they|it's|he|she)\s"
)
_FINITE: Final = re.compile(
    r"^[^,.;:!?()]*?\s(?:is|are|was|were|will|can|has|have|had|does|did|goes|comes|gets|makes|takes|finds|says|needs|"
    r"gives|wants|means|should|must|isn't|aren't|doesn't|don't|won't|can't)\s"
)
_TAIL: Final = re.compile(
    r"\s(?:in|on|at|with|by|to|from|into|for|of|the|a|an|your|our|my|its|their|this|these|and|or|under|over|"
    r"again|now|first|here|there|up|out|off|all|one|two|three|four|five|six|seven|eight|nine|ten|very|using|through|only|"
    r"both|if|instead|meanwhile|too|otherwise|anyway|[a-z]{3,}ly)$"
)
_INNER_CLAUSE: Final = re.compile(r"[,;:]\s+|\s(?:and|so|but|because)\s+")
_PLACE: Final = re.compile(r"\s(?:in|on|at|with|by|from|into|for|under|through|using|until|near|next to|to)\s")
_VAGUE_PLACE: Final = re.compile(
    r"\s(?:from|in|on|at|to) the (?:list|menu|page|screen|left|right|top|bottom|drop ?down|corner|side|middle|way|back|"
    r"front)\b.*$"
)
_WORD: Final = re.compile(r"[^\W\d_][\w'’-]*")
_STOP: Final = _words(
    """a an and are as at be been before but by can do for from get go has have here how i if in into is it its
    it's just let's make me my no not now of off ok okay on one or our out over so some step sure that the
    their them then there these they this to two up us use we what when where which will with you your you're
    away back down together"""
)


def titles(chapters: Sequence[Sequence[Sentence]], centrality: Sequence[Sequence[float]] | None = None) -> list[str]:
    """Return one title a chapter: not empty, at most 45 characters, no two the same (letter case aside).

    `centrality` says for each sentence how near it is to the meaning of its chapter, 0 to 1; where it is given,
    the phrases of central sentences are preferred (the idea of KeyBERT).
    """
    taken: set[str] = set()
    named = []
    for at, own in enumerate(chapters):
        others = [sentence for other, rest in enumerate(chapters) if other != at for sentence in rest]
        central = centrality[at] if centrality else [1.0] * len(own)
        best = _first_free(_ranked(own, others, central), taken, at)
        taken.add(best.casefold())
        named.append(best)
    return named


def begins_with_a_verb(phrase: str) -> bool:
    """Say whether a title begins with a verb of doing, in English."""
    return _base_verb(phrase.split(maxsplit=1)[0].lower(), gerund=False) is not None


def title(own: Sequence[Sentence], others: Sequence[Sentence] = ()) -> str:
    """Return the title of the chapter `own` among the sentences of the `others`."""
    return _first_free(_ranked(own, others, [1.0] * len(own)), set(), 0)


def _first_free(ranked: Sequence[str], taken: set[str], at: int) -> str:
    for phrase in ranked:
        if phrase.casefold() not in taken:
            return phrase
    number = at + 1
    stem = ranked[0] if ranked else "Part"
    while True:
        suffix = f" {number}" if not ranked else f" ({number})"
        phrase = _fit(stem, LONGEST - len(suffix)) + suffix
        if phrase.casefold() not in taken:
            return phrase
        number += 1


def _ranked(own: Sequence[Sentence], others: Sequence[Sentence], central: Sequence[float]) -> list[str]:
    """Return possible titles, best first: verb phrases that open a sentence, those inside one, then clauses."""
    weight = _distinctive(own, others)
    found: list[tuple[int, float, str]] = []
    for place, sentence in enumerate(own):
        counts = _early(place) * central[place]
        found += [(0, -score * counts, phrase) for phrase, score in _verb_phrases(sentence.text, weight)]
        found += [(1, -score * counts, phrase) for phrase, score in _inner_phrases(sentence.text, weight)]
        clause = _opening_clause(sentence.text)
        found += [(2, -_telling(_content(clause), weight, least=3) * counts, clause)]
    found.sort(key=lambda one: one[:2])
    return [_display(phrase) for phrase in dict.fromkeys(phrase for *_, phrase in found) if phrase]


def _telling(words: Sequence[str], weight: dict[str, float], *, least: int) -> float:
    """Return what words tell on average; fewer than `least` count as if words that tell nothing made them up."""
    return sum(weight.get(word, 0.0) for word in words) / max(len(words), least)


def _early(place: int) -> float:
    """Return what the phrase of the `place`-th sentence counts: people say first what they are about to do."""
    return 0.35 + 0.65 / (1 + 0.5 * place)


def _distinctive(own: Sequence[Sentence], others: Sequence[Sentence]) -> dict[str, float]:
    """Return what each word says about this chapter and not the others, from 0 to 1 (class-based TF-IDF)."""
    here = Counter(_content(" ".join(sentence.text for sentence in own)))
    there = Counter(_content(" ".join(sentence.text for sentence in others)))
    scores = {word: math.sqrt(count) / (1 + there[word]) for word, count in here.items()}
    most = max(scores.values(), default=1.0)
    return {word: score / most for word, score in scores.items()}


def _content(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _STOP]


def _verb_phrases(text: str, weight: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Yield the "verb object" phrases of a sentence, each with what it is worth as a title."""
    plain = " ".join(text.strip().lower().split())
    opened = _LEAD_IN.match(plain)
    starts = {opened.end() if opened else 0: _announced(opened)}
    for inside in _INSIDE.finditer(plain):
        starts.setdefault(inside.end(), 0.6 if inside.group().startswith(("and", "then")) else 1.1)
    for start, announced in starts.items():
        gerund = re.search(r"\b(?:by|with)\s+$", plain[:start]) is not None
        phrase = _verb_phrase(plain[start:], gerund=gerund)
        words = _content(phrase.partition(" ")[2]) if phrase else []
        if phrase and words:
            yield phrase, _strength(phrase) * announced + 1.2 * _telling(words, weight, least=2)


def _inner_phrases(text: str, weight: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Yield the "verb object" phrases with which a later clause of a sentence begins, and what each is worth."""
    plain = " ".join(text.strip().lower().split())
    for inner in _INNER_CLAUSE.finditer(plain):
        rest = plain[inner.end() :]
        opened = _LEAD_IN.match(rest)
        phrase = _verb_phrase(rest[opened.end() if opened else 0 :], gerund=False)
        words = _content(phrase.partition(" ")[2]) if phrase else []
        if phrase and words:
            yield phrase, _strength(phrase) + 1.2 * _telling(words, weight, least=2)


def _announced(opened: re.Match[str] | None) -> float:
    """Return more than 1 when the words before the phrase say that it is what the recording is about."""
    return 1.5 if opened and re.search(r"\bhow (?:to|you|we|i)\s+$", opened.group()) else 1.0


def _strength(phrase: str) -> float:
    """Return how well a phrase names a step: a telling verb and a real object."""
    verb, *words = phrase.split()
    strength = 1.0 if verb in _STRONG else 0.5
    if words[0] in _DETERMINERS:
        strength += 0.2
    elif verb in _LABEL_VERBS:
        strength -= 0.3  # "press forward": the name of a button, not a thing
    if _VAGUE.intersection(words):
        strength -= 0.3
    if words[0] in _NO_OBJECT:
        strength -= 0.4  # "push from the inside": what is pushed was said before
    if words[0] in _LEANING:
        strength -= 0.2
    return max(strength, 0.1)


def _verb_phrase(text: str, *, gerund: bool) -> str | None:
    """Return the verb and its object at the start of `text`, or None when no verb of doing stands there."""
    first = _WORD.match(text)
    if first is None:
        return None
    verb = _base_verb(first.group(), gerund=gerund)
    if verb is None:
        return None
    rest = text[first.end() :]
    end = _CLAUSE_END.search(rest + " ")
    subject = _FINITE.match(rest + " ")
    if subject and (end is None or subject.end() <= end.start() + 1):
        return None  # "clear ice is the worst": what looked like an order is what the sentence is about
    rest = rest[: end.start()] if end else rest
    words = rest.split()
    if not words or (words[0] in _NOT_OBJECTS and len(words) < 2) or words[0] in _PRONOUNS:
        return None
    return _fit(_VAGUE_PLACE.sub("", f"{verb} {' '.join(words)}"))


def _base_verb(word: str, *, gerund: bool) -> str | None:
    """Return the verb of doing in its plain form; "-ing" counts only where the words before ask for it."""
    if word in VERBS or word in _MORE:
        return word
    ending = _GERUND.match(word) if gerund else None
    if ending is None:
        return None
    stem, doubled = ending.group(1), ending.group(2) or ""
    for base in (stem + doubled, stem + doubled * 2, stem + doubled + "e", stem + "e"):
        if base in VERBS:
            return base
    return None


def _fit(phrase: str, longest: int = LONGEST) -> str:
    """Return `phrase` cut to `longest` characters where a phrase or at least a word ends."""
    phrase = phrase.strip(" ,.;:!?-–—'\"")
    while len(phrase) > longest:
        place = [match.start() for match in _PLACE.finditer(phrase) if match.start() > 10]
        shorter = phrase[: place[-1]] if place else phrase[: longest + 1].rpartition(" ")[0]
        phrase = shorter or phrase[:longest]
    while (tail := _TAIL.search(phrase)) is not None and tail.start() > 0:
        phrase = phrase[: tail.start()]
    return phrase


def _opening_clause(text: str) -> str:
    plain = " ".join(text.split())
    lead = _LEAD_IN.match(plain.lower())
    if lead and len(plain) - lead.end() > 8:
        plain = plain[lead.end() :]
    clause = re.split(r"[,.;:!?。、！？]|\s(?:so|because|since|but|which)\s", plain, maxsplit=1)[0]
    return _fit(clause) or _fit(plain)


def _display(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]
