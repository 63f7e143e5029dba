"""The tables of who may call: integrations, consents, codes, tokens, keys, approvals."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    false,
)

from sallyport.store.columns import Digest, Id, id_column, metadata, moment, reference

integration = Table(
    "integration",
    metadata,
    Column("client_id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    reference("owner_id", "account.id"),
    Column("redirect_uris", Text, nullable=False),
    Column("kind", String(16), nullable=False, server_default="confidential"),
    Column("forge_compatible", Boolean, nullable=False, server_default=false()),
    Column("require_par", Boolean, nullable=False, server_default=false()),
    Column("require_dpop", Boolean, nullable=False, server_default=false()),
    Column("jwks", Text),
    Column("verified_at", BigInteger),
    moment("created_at"),
    moment("revoked_at", nullable=True),
    Index(None, "owner_id"),
)

integration_secret = Table(
    "integration_secret",
    metadata,
    id_column(),
    reference("client_id", "integration.client_id"),
    Column("digest", Digest, nullable=False),
    moment("created_at"),
    moment("revoked_at", nullable=True),
    Index(None, "client_id"),
)

integration_link = Table(
    "integration_link",
    metadata,
    reference("client_id", "integration.client_id", primary_key=True),
    reference("site_id", "site.id", primary_key=True),
    reference("environment_id", "environment.id", primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("product_scopes", Text, nullable=False),
    Column("optional_scopes", Text, nullable=False, server_default="[]"),
    moment("created_at"),
    Index(None, "site_id", "environment_id"),
)

grant = Table(
    "access_grant",
    metadata,
    id_column(),
    reference("client_id", "integration.client_id"),
    reference("account_id", "account.id"),
    reference("site_id", "site.id"),
    reference("environment_id", "environment.id"),
    Column("scopes", Text, nullable=False),
    moment("created_at"),
    moment("revoked_at", nullable=True),
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
    Column("dpop_jkt", String(64)),
    Column("resource", Text),
    moment("expires_at"),
    moment("consumed_at", nullable=True),
    Column("family_id", Id),
    Index(None, "expires_at"),
)

token_family = Table(
    "token_family",
    metadata,
    id_column(),
    Column("grant_id", ForeignKey("access_grant.id", ondelete="CASCADE"), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("dpop_jkt", String(64)),
    Column("resource", Text),
    moment("created_at"),
    moment("expires_at"),
    moment("revoked_at", nullable=True),
    Index(None, "grant_id"),
    Index(None, "expires_at"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("family_id", ForeignKey("token_family.id", ondelete="CASCADE"), nullable=False),
    moment("created_at"),
    moment("expires_at"),
    moment("consumed_at", nullable=True),
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
    moment("created_at"),
    Column("signs_from", BigInteger, nullable=False, server_default="0"),
    moment("retired_at", nullable=True),
)

pushed_request = Table(
    "pushed_request",
    metadata,
    Column("digest", Digest, primary_key=True),
    reference("client_id", "integration.client_id"),
    Column("parameters", Text, nullable=False),
    moment("created_at"),
    moment("expires_at"),
    moment("consumed_at", nullable=True),
    Index(None, "expires_at"),
)

used_proof = Table(
    "used_proof",
    metadata,
    Column("digest", Digest, primary_key=True),
    moment("expires_at"),
    Index(None, "expires_at"),
)

approval = Table(
    "approval",
    metadata,
    id_column(),
    reference("client_id", "integration.client_id"),
    reference("site_id", "site.id"),
    reference("environment_id", "environment.id"),
    Column("scopes", Text, nullable=False),
    Column("product_scopes", Text, nullable=False),
    Column("optional_scopes", Text, nullable=False),
    Column("note", Text, nullable=False),
    reference("asked_by", "account.id"),
    moment("asked_at"),
    Column("state", String(16), nullable=False),
    Column("approved_scopes", Text),
    Column("reason", Text),
    Column("decided_by", Id),
    moment("decided_at", nullable=True),
    Index(None, "site_id", "state"),
    Index(None, "client_id"),
)

external_identity = Table(
    "external_identity",
    metadata,
    Column("issuer", String(500), primary_key=True),
    Column("subject", String(255), primary_key=True),
    reference("account_id", "account.id"),
    moment("created_at"),
    Index(None, "account_id"),
)
