"""Uploads whose length is said later, and what their clients said about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("upload", "length_bytes", existing_type=sa.BigInteger(), nullable=True)
    op.add_column("upload", sa.Column("metadata_header", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("upload", "metadata_header")
    op.execute("DELETE FROM upload WHERE length_bytes IS NULL")
    op.alter_column("upload", "length_bytes", existing_type=sa.BigInteger(), nullable=False)
