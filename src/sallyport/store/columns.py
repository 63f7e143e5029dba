"""What the tables' columns are made of, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = String(36)
Digest = String(64)
# SQLite compares keys by code point; PostgreSQL does so whatever the database's locale is.
KvKey = String(500).with_variant(String(500, collation="C"), "postgresql")
KvSpace = String(80).with_variant(String(80, collation="C"), "postgresql")
KvPlace = Text().with_variant(Text(collation="C"), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")


def id_column(name: str = "id") -> Column[str]:
    return Column(name, Id, primary_key=True)


def reference(name: str, target: str, *, primary_key: bool = False) -> Column[str]:
    return Column(
        name,
        Id,
        ForeignKey(target, ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def moment(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)
