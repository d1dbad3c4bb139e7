"""How alike two words sound: a rough phonetic key, and how far two strings are apart."""

from __future__ import annotations

import re


def ratio(left: str, right: str) -> float:
    """How alike two strings are, 0..1: 1 less the share of letters to change."""
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


def start_of(key: str) -> str:
    """The class of a key's first sound; voiced and unvoiced are easily misheard and count as one."""
    return key[:1].translate(_VOICELESS)
