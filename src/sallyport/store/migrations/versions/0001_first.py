"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _refers(
    name: str, column: str, target: str, *, cascade: bool = True
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=name, ondelete="CASCADE" if cascade else None
    )


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("operator", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("email", name="uq_account_email"),
    )
    op.create_table(
        "app",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_app"),
    )
    op.create_table(
        "audit",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("app_id", sa.String(length=36), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_app_id_at", "audit", ["app_id", "at"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_site_id_at", "audit", ["site_id", "at"], unique=False)
    op.create_table(
        "change",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_change"),
    )
    op.create_index("ix_change_at", "change", ["at"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("gate", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=True),
        sa.Column("app_id", sa.String(length=36), nullable=True),
        sa.Column("environment_id", sa.String(length=36), nullable=True),
        sa.Column("installation_id", sa.String(length=36), nullable=True),
        sa.Column("route_key", sa.Text(), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("account_id", sa.String(length=36), nullable=True),
        sa.Column("grant_id", sa.String(length=36), nullable=True),
        sa.Column("invocation_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
    )
    op.create_index("ix_decision_at", "decision", ["at"], unique=False)
    op.create_index("ix_decision_site_id_at", "decision", ["site_id", "at"], unique=False)
    op.create_index("ix_decision_trace_id", "decision", ["trace_id"], unique=False)
    op.create_table(
        "log_line",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(length=5), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("installation_id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("invocation_id", sa.String(length=36), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.Column("function_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_log_line"),
    )
    op.create_index("ix_log_line_at", "log_line", ["at"], unique=False)
    op.create_index(
        "ix_log_line_environment_id_at", "log_line", ["environment_id", "at"], unique=False
    )
    op.create_index("ix_log_line_invocation_id", "log_line", ["invocation_id"], unique=False)
    op.create_index("ix_log_line_trace_id", "log_line", ["trace_id"], unique=False)
    op.create_table(
        "organization",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
    )
    op.create_table(
        "platform",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_platform"),
    )
    op.create_table(
        "product",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_product"),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_key"),
    )
    op.create_table(
        "api_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        _refers("fk_api_token_account_id", "account_id", "account.id"),
        sa.PrimaryKeyConstraint("digest", name="pk_api_token"),
        sa.UniqueConstraint("id", name="uq_api_token_id"),
    )
    op.create_index("ix_api_token_account_id", "api_token", ["account_id"], unique=False)
    op.create_table(
        "app_role",
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        _refers("fk_app_role_account_id", "account_id", "account.id"),
        _refers("fk_app_role_app_id", "app_id", "app.id"),
        sa.PrimaryKeyConstraint("app_id", "account_id", name="pk_app_role"),
    )
    op.create_table(
        "environment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("app_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_environment_app_id", "app_id", "app.id"),
        sa.PrimaryKeyConstraint("id", name="pk_environment"),
        sa.UniqueConstraint("app_id", "key", name="uq_environment_app_id_key"),
    )
    op.create_table(
        "integration",
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("redirect_uris", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        _refers("fk_integration_owner_id", "owner_id", "account.id"),
        sa.PrimaryKeyConstraint("client_id", name="pk_integration"),
    )
    op.create_index("ix_integration_owner_id", "integration", ["owner_id"], unique=False)
    op.create_table(
        "organization_admin",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_organization_admin_account_id", "account_id", "account.id"),
        _refers("fk_organization_admin_organization_id", "organization_id", "organization.id"),
        sa.PrimaryKeyConstraint("account_id", "organization_id", name="pk_organization_admin"),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        _refers("fk_session_account_id", "account_id", "account.id"),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
    )
    op.create_index("ix_session_account_id", "session", ["account_id"], unique=False)
    op.create_index("ix_session_expires_at", "session", ["expires_at"], unique=False)
    op.create_table(
        "site",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organization_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_site_organization_id", "organization_id", "organization.id"),
        sa.PrimaryKeyConstraint("id", name="pk_site"),
        sa.UniqueConstraint("host", name="uq_site_host"),
    )
    op.create_table(
        "access_grant",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        _refers("fk_access_grant_account_id", "account_id", "account.id"),
        _refers("fk_access_grant_client_id", "client_id", "integration.client_id"),
        _refers("fk_access_grant_environment_id", "environment_id", "environment.id"),
        _refers("fk_access_grant_site_id", "site_id", "site.id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_grant"),
    )
    op.create_index("ix_access_grant_account_id", "access_grant", ["account_id"], unique=False)
    op.create_index(
        "ix_access_grant_client_id_account_id",
        "access_grant",
        ["client_id", "account_id"],
        unique=False,
    )
    op.create_index("ix_access_grant_site_id", "access_grant", ["site_id"], unique=False)
    op.create_table(
        "custom_scope",
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_custom_scope_environment_id", "environment_id", "environment.id"),
        sa.PrimaryKeyConstraint("environment_id", "name", name="pk_custom_scope"),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        sa.Column("installed_by", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_installation_environment_id", "environment_id", "environment.id"),
        _refers("fk_installation_product", "product", "product.key", cascade=False),
        _refers("fk_installation_site_id", "site_id", "site.id"),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
        sa.UniqueConstraint(
            "site_id",
            "environment_id",
            "product",
            name="uq_installation_site_id_environment_id_product",
        ),
    )
    op.create_index(
        "ix_installation_environment_id", "installation", ["environment_id"], unique=False
    )
    op.create_table(
        "integration_link",
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("product_scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_integration_link_client_id", "client_id", "integration.client_id"),
        _refers("fk_integration_link_environment_id", "environment_id", "environment.id"),
        _refers("fk_integration_link_site_id", "site_id", "site.id"),
        sa.PrimaryKeyConstraint(
            "client_id", "site_id", "environment_id", name="pk_integration_link"
        ),
    )
    op.create_index(
        "ix_integration_link_site_id_environment_id",
        "integration_link",
        ["site_id", "environment_id"],
        unique=False,
    )
    op.create_table(
        "integration_secret",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        _refers("fk_integration_secret_client_id", "client_id", "integration.client_id"),
        sa.PrimaryKeyConstraint("id", name="pk_integration_secret"),
    )
    op.create_index(
        "ix_integration_secret_client_id", "integration_secret", ["client_id"], unique=False
    )
    op.create_table(
        "membership",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_membership_account_id", "account_id", "account.id"),
        _refers("fk_membership_site_id", "site_id", "site.id"),
        sa.PrimaryKeyConstraint("account_id", "site_id", name="pk_membership"),
    )
    op.create_index("ix_membership_site_id", "membership", ["site_id"], unique=False)
    op.create_table(
        "rest_api_switch",
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("changed_by", sa.String(length=36), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        _refers("fk_rest_api_switch_environment_id", "environment_id", "environment.id"),
        _refers("fk_rest_api_switch_site_id", "site_id", "site.id"),
        sa.PrimaryKeyConstraint("site_id", "environment_id", name="pk_rest_api_switch"),
    )
    op.create_table(
        "site_product",
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        _refers("fk_site_product_product", "product", "product.key", cascade=False),
        _refers("fk_site_product_site_id", "site_id", "site.id"),
        sa.PrimaryKeyConstraint("site_id", "product", name="pk_site_product"),
    )
    op.create_table(
        "variable",
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _refers("fk_variable_environment_id", "environment_id", "environment.id"),
        sa.PrimaryKeyConstraint("environment_id", "key", name="pk_variable"),
    )
    op.create_table(
        "version",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("environment_id", sa.String(length=36), nullable=False),
        sa.Column("major", sa.Integer(), nullable=False),
        sa.Column("minor", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("bundle", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _refers("fk_version_environment_id", "environment_id", "environment.id"),
        sa.PrimaryKeyConstraint("id", name="pk_version"),
        sa.UniqueConstraint(
            "environment_id", "major", "minor", name="uq_version_environment_id_major_minor"
        ),
    )
    op.create_table(
        "authorization_code",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("grant_id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("redirect_uri_sent", sa.Boolean(), nullable=False),
        sa.Column("code_challenge", sa.String(length=128), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("consumed_at", sa.BigInteger(), nullable=True),
        sa.Column("family_id", sa.String(length=36), nullable=True),
        _refers("fk_authorization_code_grant_id", "grant_id", "access_grant.id"),
        sa.PrimaryKeyConstraint("digest", name="pk_authorization_code"),
    )
    op.create_index(
        "ix_authorization_code_expires_at", "authorization_code", ["expires_at"], unique=False
    )
    op.create_table(
        "kv_entry",
        sa.Column("installation_id", sa.String(length=36), nullable=False),
        sa.Column(
            "key",
            sa.String(length=500).with_variant(sa.String(length=500, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _refers("fk_kv_entry_installation_id", "installation_id", "installation.id"),
        sa.PrimaryKeyConstraint("installation_id", "key", name="pk_kv_entry"),
    )
    op.create_table(
        "token_family",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("grant_id", sa.String(length=36), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        _refers("fk_token_family_grant_id", "grant_id", "access_grant.id"),
        sa.PrimaryKeyConstraint("id", name="pk_token_family"),
    )
    op.create_index("ix_token_family_expires_at", "token_family", ["expires_at"], unique=False)
    op.create_index("ix_token_family_grant_id", "token_family", ["grant_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("family_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("consumed_at", sa.BigInteger(), nullable=True),
        sa.Column("successor", sa.String(length=64), nullable=True),
        sa.Column("successor_sealed", sa.LargeBinary(), nullable=True),
        _refers("fk_refresh_token_family_id", "family_id", "token_family.id"),
        sa.PrimaryKeyConstraint("digest", name="pk_refresh_token"),
    )
    op.create_index("ix_refresh_token_expires_at", "refresh_token", ["expires_at"], unique=False)
    op.create_index("ix_refresh_token_family_id", "refresh_token", ["family_id"], unique=False)


def downgrade() -> None:
    for table in (
        "refresh_token",
        "token_family",
        "kv_entry",
        "authorization_code",
        "version",
        "variable",
        "site_product",
        "rest_api_switch",
        "membership",
        "integration_secret",
        "integration_link",
        "installation",
        "custom_scope",
        "access_grant",
        "site",
        "session",
        "organization_admin",
        "integration",
        "environment",
        "app_role",
        "api_token",
        "signing_key",
        "product",
        "platform",
        "organization",
        "log_line",
        "decision",
        "change",
        "audit",
        "app",
        "account",
    ):
        op.drop_table(table)
