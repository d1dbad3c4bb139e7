"""Alembic's entry: always runs on the connection that `infra.migrations` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    # Generated columns and their indexes are written by hand in the revisions.
    if kind == "index":
        return not str(name).startswith(("passage_", "term_"))
    return not (kind == "column" and name == "words")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_object=_is_ours,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
