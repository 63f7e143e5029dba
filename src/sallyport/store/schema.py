"""The tables. Times are milliseconds since the epoch; lists and objects are JSON text.

One schema for SQLite and PostgreSQL; docs/reference/storage.md says what each table is for. The
tables of integrations and tokens are in `schema_access`, those of policies in `schema_calls`.
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
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from sallyport.store.columns import (
    Digest,
    Id,
    KvKey,
    KvPlace,
    KvSpace,
    Serial,
    id_column,
    metadata,
    moment,
    reference,
)
from sallyport.store.schema_access import approval as approval
from sallyport.store.schema_access import authorization_code as authorization_code
from sallyport.store.schema_access import external_identity as external_identity
from sallyport.store.schema_access import grant as grant
from sallyport.store.schema_access import integration as integration
from sallyport.store.schema_access import integration_link as integration_link
from sallyport.store.schema_access import integration_secret as integration_secret
from sallyport.store.schema_access import pushed_request as pushed_request
from sallyport.store.schema_access import refresh_token as refresh_token
from sallyport.store.schema_access import signing_key as signing_key
from sallyport.store.schema_access import token_family as token_family
from sallyport.store.schema_access import used_proof as used_proof
from sallyport.store.schema_calls import call_limit as call_limit
from sallyport.store.schema_calls import idempotency as idempotency
from sallyport.store.schema_calls import idempotency_usage as idempotency_usage
from sallyport.store.schema_calls import usage as usage

__all__ = ["metadata"]

# ---- directory

platform = Table(
    "platform", metadata, Column("key", String(64), primary_key=True), Column("value", Text)
)

organization = Table(
    "organization",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    moment("created_at"),
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
    id_column(),
    reference("organization_id", "organization.id"),
    Column("host", String(253), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("approval_required", Boolean, nullable=False, server_default=false()),
    moment("created_at"),
)

site_product = Table(
    "site_product",
    metadata,
    reference("site_id", "site.id", primary_key=True),
    Column("product", ForeignKey("product.key"), primary_key=True),
)

account = Table(
    "account",
    metadata,
    id_column(),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text),
    Column("operator", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("kind", String(16), nullable=False, server_default="person"),
    moment("created_at"),
)

membership = Table(
    "membership",
    metadata,
    reference("account_id", "account.id", primary_key=True),
    reference("site_id", "site.id", primary_key=True),
    Column("role", String(16), nullable=False),
    moment("created_at"),
    Column("given_by", String(500)),
    Index(None, "site_id"),
)

organization_admin = Table(
    "organization_admin",
    metadata,
    reference("account_id", "account.id", primary_key=True),
    reference("organization_id", "organization.id", primary_key=True),
    moment("created_at"),
)

session = Table(
    "session",
    metadata,
    Column("id", Digest, primary_key=True),
    reference("account_id", "account.id"),
    moment("created_at"),
    moment("expires_at"),
    Column("handle", Id),
    Column("address", Text),
    Column("agent", Text),
    Column("method", String(16), nullable=False, server_default="password"),
    Column("last_used_at", BigInteger),
    Index(None, "account_id"),
    Index(None, "expires_at"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    reference("account_id", "account.id"),
    Column("label", Text, nullable=False),
    moment("created_at"),
    moment("revoked_at", nullable=True),
    Index(None, "account_id"),
)

# ---- registry

app = Table(
    "app", metadata, id_column(), Column("name", Text, nullable=False), moment("created_at")
)

app_role = Table(
    "app_role",
    metadata,
    reference("app_id", "app.id", primary_key=True),
    reference("account_id", "account.id", primary_key=True),
    Column("role", String(16), nullable=False),
)

environment = Table(
    "environment",
    metadata,
    id_column(),
    reference("app_id", "app.id"),
    Column("key", String(64), nullable=False),
    moment("created_at"),
    UniqueConstraint("app_id", "key"),
)

custom_scope = Table(
    "custom_scope",
    metadata,
    reference("environment_id", "environment.id", primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("description", Text, nullable=False),
    Column("display_name", Text),
    moment("created_at"),
)

variable = Table(
    "variable",
    metadata,
    reference("environment_id", "environment.id", primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("secret", Boolean, nullable=False),
    moment("updated_at"),
)

version = Table(
    "version",
    metadata,
    id_column(),
    reference("environment_id", "environment.id"),
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("bundle", Digest, nullable=False),
    Column("tag", Text),
    Column("created_by", Id),
    moment("created_at"),
    Column("dependencies", Text),
    UniqueConstraint("environment_id", "major", "minor"),
)

version_notes = Table(
    "version_notes",
    metadata,
    reference("version_id", "version.id", primary_key=True),
    Column("notes", Text, nullable=False),
)

installation = Table(
    "installation",
    metadata,
    id_column(),
    reference("site_id", "site.id"),
    reference("environment_id", "environment.id"),
    Column("product", ForeignKey("product.key"), nullable=False),
    Column("major", Integer, nullable=False),
    Column("installed_by", Id),
    moment("created_at"),
    UniqueConstraint("site_id", "environment_id", "product"),
    Index(None, "environment_id"),
)

rest_api_switch = Table(
    "rest_api_switch",
    metadata,
    reference("site_id", "site.id", primary_key=True),
    reference("environment_id", "environment.id", primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("changed_by", Id),
    moment("changed_at"),
)

# ---- app data

kv_item = Table(
    "kv_item",
    metadata,
    reference("installation_id", "installation.id", primary_key=True),
    Column("space", KvSpace, primary_key=True),
    Column("key", KvKey, primary_key=True),
    Column("value", Text),
    Column("sealed", LargeBinary),
    Column("size", Integer, nullable=False),
    moment("created_at"),
    moment("updated_at"),
    moment("expires_at", nullable=True),
    Index(None, "expires_at"),
)

kv_index = Table(
    "kv_index",
    metadata,
    reference("installation_id", "installation.id", primary_key=True),
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
    reference("installation_id", "installation.id", primary_key=True),
    Column("index_id", Digest, primary_key=True),
    Column("space", KvSpace, nullable=False),
    Column("filled_to", KvKey),
    Column("ready", Boolean, nullable=False),
)

kv_usage = Table(
    "kv_usage",
    metadata,
    reference("installation_id", "installation.id", primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)

# ---- triggers

web_trigger = Table(
    "web_trigger",
    metadata,
    id_column(),
    reference("installation_id", "installation.id"),
    Column("module_key", String(255), nullable=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_by", Id),
    moment("created_at"),
    UniqueConstraint("installation_id", "module_key"),
)

scheduled_run = Table(
    "scheduled_run",
    metadata,
    reference("installation_id", "installation.id", primary_key=True),
    Column("module_key", String(255), primary_key=True),
    Column("interval", String(16), nullable=False),
    moment("next_at"),
    Index(None, "next_at"),
)

# ---- records

decision = Table(
    "decision",
    metadata,
    id_column(),
    Column("trace_id", String(32), nullable=False),
    moment("at"),
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
    Column("worker_us", BigInteger),
    Column("bytes_in", BigInteger),
    Column("bytes_out", BigInteger),
    Index(None, "at"),
    Index(None, "site_id", "at"),
    Index(None, "environment_id", "at"),
    Index(None, "trace_id"),
)

log_line = Table(
    "log_line",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    moment("at"),
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
    moment("at"),
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
    moment("at"),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False),
    Index(None, "at"),
)
