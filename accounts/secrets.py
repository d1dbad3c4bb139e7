"""Secrets of links, sessions and tokens: 256 random bits, shown once, stored as SHA-256.

A secret of that length cannot be guessed, so a plain fast hash is enough (OWASP ASVS 5.0, 7.2.3 asks for 128 bits).
"""

from __future__ import annotations

import hashlib
import secrets

TOKEN_PREFIX = "lore_"  # noqa: S105 - a mark that scanners and people can recognise, not a secret
_RANDOM_BYTES = 32


def new_secret() -> str:
    """A new secret, 43 characters that are safe in a URL and a cookie."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def new_token() -> str:
    """A new bearer token: a secret behind `lore_`."""
    return TOKEN_PREFIX + new_secret()


def hash_of(secret: str) -> bytes:
    """SHA-256 of a secret, 32 bytes. Takes any string, also one that came from outside."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
