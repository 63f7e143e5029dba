"""The tables. Times are milliseconds since the epoch; lists and objects are JSON text.

One schema for SQLite and PostgreSQL; docs/reference/storage.md says what each table is for.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
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


def _id(name: str = "id") -> Column[str]:
    return Column(name, Id, primary_key=True)


def _ref(name: str, target: str, *, primary_key: bool = False) -> Column[str]:
    return Column(
        name,
        Id,
        ForeignKey(target, ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def _at(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


# ---- directory

platform = Table(
    "platform", metadata, Column("key", String(64), primary_key=True), Column("value", Text)
)

organization = Table(
    "organization", metadata, _id(), Column("name", Text, nullable=False), _at("created_at")
)

product = Table(
    "product",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("name", Text),
    Column("upstream", Text),
)

site = Table(
    "site",
    metadata,
    _id(),
    _ref("organization_id", "organization.id"),
    Column("host", String(253), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    _at("created_at"),
)

site_product = Table(
    "site_product",
    metadata,
    _ref("site_id", "site.id", primary_key=True),
    Column("product", ForeignKey("product.key"), primary_key=True),
)

account = Table(
    "account",
    metadata,
    _id(),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text),
    Column("operator", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    _at("created_at"),
)

membership = Table(
    "membership",
    metadata,
    _ref("account_id", "account.id", primary_key=True),
    _ref("site_id", "site.id", primary_key=True),
    Column("role", String(16), nullable=False),
    _at("created_at"),
    Index(None, "site_id"),
)

organization_admin = Table(
    "organization_admin",
    metadata,
    _ref("account_id", "account.id", primary_key=True),
    _ref("organization_id", "organization.id", primary_key=True),
    _at("created_at"),
)

session = Table(
    "session",
    metadata,
    Column("id", Digest, primary_key=True),
    _ref("account_id", "account.id"),
    _at("created_at"),
    _at("expires_at"),
    Index(None, "account_id"),
    Index(None, "expires_at"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    _ref("account_id", "account.id"),
    Column("label", Text, nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
    Index(None, "account_id"),
)

# ---- registry

app = Table("app", metadata, _id(), Column("name", Text, nullable=False), _at("created_at"))

app_role = Table(
    "app_role",
    metadata,
    _ref("app_id", "app.id", primary_key=True),
    _ref("account_id", "account.id", primary_key=True),
    Column("role", String(16), nullable=False),
)

environment = Table(
    "environment",
    metadata,
    _id(),
    _ref("app_id", "app.id"),
    Column("key", String(64), nullable=False),
    _at("created_at"),
    UniqueConstraint("app_id", "key"),
)

custom_scope = Table(
    "custom_scope",
    metadata,
    _ref("environment_id", "environment.id", primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("description", Text, nullable=False),
    Column("display_name", Text),
    _at("created_at"),
)

variable = Table(
    "variable",
    metadata,
    _ref("environment_id", "environment.id", primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("secret", Boolean, nullable=False),
    _at("updated_at"),
)

version = Table(
    "version",
    metadata,
    _id(),
    _ref("environment_id", "environment.id"),
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("bundle", Digest, nullable=False),
    Column("tag", Text),
    Column("created_by", Id),
    _at("created_at"),
    Column("dependencies", Text),
    UniqueConstraint("environment_id", "major", "minor"),
)

installation = Table(
    "installation",
    metadata,
    _id(),
    _ref("site_id", "site.id"),
    _ref("environment_id", "environment.id"),
    Column("product", ForeignKey("product.key"), nullable=False),
    Column("major", Integer, nullable=False),
    Column("installed_by", Id),
    _at("created_at"),
    UniqueConstraint("site_id", "environment_id", "product"),
    Index(None, "environment_id"),
)

rest_api_switch = Table(
    "rest_api_switch",
    metadata,
    _ref("site_id", "site.id", primary_key=True),
    _ref("environment_id", "environment.id", primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("changed_by", Id),
    _at("changed_at"),
)

# ---- access

integration = Table(
    "integration",
    metadata,
    Column("client_id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    _ref("owner_id", "account.id"),
    Column("redirect_uris", Text, nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
    Index(None, "owner_id"),
)

integration_secret = Table(
    "integration_secret",
    metadata,
    _id(),
    _ref("client_id", "integration.client_id"),
    Column("digest", Digest, nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
    Index(None, "client_id"),
)

integration_link = Table(
    "integration_link",
    metadata,
    _ref("client_id", "integration.client_id", primary_key=True),
    _ref("site_id", "site.id", primary_key=True),
    _ref("environment_id", "environment.id", primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("product_scopes", Text, nullable=False),
    _at("created_at"),
    Index(None, "site_id", "environment_id"),
)

grant = Table(
    "access_grant",
    metadata,
    _id(),
    _ref("client_id", "integration.client_id"),
    _ref("account_id", "account.id"),
    _ref("site_id", "site.id"),
    _ref("environment_id", "environment.id"),
    Column("scopes", Text, nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
    Index(None, "client_id", "account_id"),
    Index(None, "account_id"),
    Index(None, "site_id"),
)

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("grant_id", ForeignKey("access_grant.id", ondelete="CASCADE"), nullable=False),
    Column("client_id", Id, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("redirect_uri_sent", Boolean, nullable=False),
    Column("code_challenge", String(128)),
    _at("expires_at"),
    _at("consumed_at", nullable=True),
    Column("family_id", Id),
    Index(None, "expires_at"),
)

token_family = Table(
    "token_family",
    metadata,
    _id(),
    Column("grant_id", ForeignKey("access_grant.id", ondelete="CASCADE"), nullable=False),
    Column("scopes", Text, nullable=False),
    _at("created_at"),
    _at("expires_at"),
    _at("revoked_at", nullable=True),
    Index(None, "grant_id"),
    Index(None, "expires_at"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("family_id", ForeignKey("token_family.id", ondelete="CASCADE"), nullable=False),
    _at("created_at"),
    _at("expires_at"),
    _at("consumed_at", nullable=True),
    Column("successor", Digest),
    Column("successor_sealed", LargeBinary),
    Index(None, "family_id"),
    Index(None, "expires_at"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    _at("created_at"),
    _at("retired_at", nullable=True),
)

# ---- app data

kv_item = Table(
    "kv_item",
    metadata,
    _ref("installation_id", "installation.id", primary_key=True),
    Column("space", KvSpace, primary_key=True),
    Column("key", KvKey, primary_key=True),
    Column("value", Text),
    Column("sealed", LargeBinary),
    Column("size", Integer, nullable=False),
    _at("created_at"),
    _at("updated_at"),
    _at("expires_at", nullable=True),
    Index(None, "expires_at"),
)

kv_index = Table(
    "kv_index",
    metadata,
    _ref("installation_id", "installation.id", primary_key=True),
    Column("index_id", Digest, primary_key=True),
    Column("part", Digest, primary_key=True),
    Column("place", KvPlace, primary_key=True),
    Column("space", KvSpace, nullable=False),
    Column("key", KvKey, primary_key=True),
    ForeignKeyConstraint(
        ["installation_id", "space", "key"],
        ["kv_item.installation_id", "kv_item.space", "kv_item.key"],
        ondelete="CASCADE",
    ),
    Index(None, "installation_id", "space", "key"),
)

kv_index_state = Table(
    "kv_index_state",
    metadata,
    _ref("installation_id", "installation.id", primary_key=True),
    Column("index_id", Digest, primary_key=True),
    Column("space", KvSpace, nullable=False),
    Column("filled_to", KvKey),
    Column("ready", Boolean, nullable=False),
)

kv_usage = Table(
    "kv_usage",
    metadata,
    _ref("installation_id", "installation.id", primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)

# ---- triggers

web_trigger = Table(
    "web_trigger",
    metadata,
    _id(),
    _ref("installation_id", "installation.id"),
    Column("module_key", String(255), nullable=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_by", Id),
    _at("created_at"),
    UniqueConstraint("installation_id", "module_key"),
)

scheduled_run = Table(
    "scheduled_run",
    metadata,
    _ref("installation_id", "installation.id", primary_key=True),
    Column("module_key", String(255), primary_key=True),
    Column("interval", String(16), nullable=False),
    _at("next_at"),
    Index(None, "next_at"),
)

# ---- records

decision = Table(
    "decision",
    metadata,
    _id(),
    Column("trace_id", String(32), nullable=False),
    _at("at"),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("gate", String(16)),
    Column("reason", String(64)),
    Column("problem", Text),
    Column("duration_us", BigInteger, nullable=False),
    Column("site_id", Id),
    Column("app_id", Id),
    Column("environment_id", Id),
    Column("installation_id", Id),
    Column("route_key", Text),
    Column("client_id", Id),
    Column("account_id", Id),
    Column("grant_id", Id),
    Column("invocation_id", Id),
    Index(None, "at"),
    Index(None, "site_id", "at"),
    Index(None, "trace_id"),
)

log_line = Table(
    "log_line",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    _at("at"),
    Column("level", String(5), nullable=False),
    Column("text", Text, nullable=False),
    Column("environment_id", Id, nullable=False),
    Column("installation_id", Id, nullable=False),
    Column("site_id", Id, nullable=False),
    Column("invocation_id", Id, nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("function_key", Text, nullable=False),
    Index(None, "environment_id", "at"),
    Index(None, "invocation_id"),
    Index(None, "trace_id"),
    Index(None, "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    _at("at"),
    Column("event", String(64), nullable=False),
    Column("account_id", Id),
    Column("address", Text),
    Column("site_id", Id),
    Column("app_id", Id),
    Column("subject", Text),
    Column("detail", Text, nullable=False),
    Index(None, "at"),
    Index(None, "site_id", "at"),
    Index(None, "app_id", "at"),
)

change = Table(
    "change",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    _at("at"),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False),
    Index(None, "at"),
)
