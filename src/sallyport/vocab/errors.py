"""Reasons: the stable codes by which Sallyport refuses, and the one exception that carries them.

A `Refused` has three texts for three readers: `detail` and `fix` for the caller,
`operator` for the operator's log (never sent). `vocab.problem` renders it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Reason(Enum):
    """One way of being refused: a stable code, its HTTP status and a title (RFC 9457)."""

    code: str
    status: int
    title: str

    # the gateway
    PATH_NOT_CANONICAL = ("path_not_canonical", 400, "The path is not in canonical form")
    REQUEST_MALFORMED = ("request_malformed", 400, "The request could not be read")
    TARGET_TOO_LONG = ("target_too_long", 414, "The request target is too long")
    REQUEST_TOO_SLOW = ("request_too_slow", 408, "The request took too long to arrive")
    CONNECTIONS_FULL = ("connections_full", 503, "The platform has too many connections")
    SITE_UNKNOWN = ("site_unknown", 404, "No such site")
    PRODUCT_UNKNOWN = ("product_unknown", 404, "No such product on this site")
    APP_NOT_INSTALLED = ("app_not_installed", 404, "The app is not installed here")
    ROUTE_UNKNOWN = ("route_unknown", 404, "The app has no such route")
    WEB_TRIGGER_UNKNOWN = ("web_trigger_unknown", 404, "There is no such web trigger")
    METHOD_NOT_ALLOWED = ("method_not_allowed", 405, "The route does not take this method")
    TOKEN_MISSING = ("token_missing", 401, "No access token")
    TOKEN_MALFORMED = ("token_malformed", 401, "The Authorization header cannot be used")
    TOKEN_INVALID = ("token_invalid", 401, "The access token is not valid")
    TOKEN_EXPIRED = ("token_expired", 401, "The access token has expired")
    TOKEN_REVOKED = ("token_revoked", 401, "The access token was revoked")
    TOKEN_BOUND = ("token_bound", 401, "The access token is bound to a key")
    TOKEN_FOR_OTHER_API = ("token_for_other_api", 401, "The access token is for another API")
    TOKEN_UNBOUND = ("token_unbound", 401, "The access token is bound to no key")
    DPOP_PROOF_INVALID = ("dpop_proof_invalid", 401, "The DPoP proof is not valid")
    DPOP_NONCE_NEEDED = ("dpop_nonce_needed", 401, "The DPoP proof needs a nonce")
    DPOP_PROOF_REPLAYED = ("dpop_proof_replayed", 401, "The DPoP proof was used before")
    DPOP_PROOFS_FULL = ("dpop_proofs_full", 503, "Too many DPoP proofs are remembered")
    GRANT_REVOKED = ("grant_revoked", 401, "The consent behind this token was ended")
    INTEGRATION_REVOKED = (
        "integration_revoked",
        401,
        "The integration behind this token was ended",
    )
    ACCOUNT_INACTIVE = ("account_inactive", 401, "The account behind this token is not active")
    TOKEN_FOR_OTHER_SITE = ("token_for_other_site", 403, "The token is for another site")
    TOKEN_FOR_OTHER_APP = (
        "token_for_other_app",
        403,
        "The token is for another app or environment",
    )
    REST_APIS_OFF = ("rest_apis_off", 403, "REST APIs are off for this app on this site")
    INTEGRATION_UNLINKED = ("integration_unlinked", 403, "The integration is no longer linked here")
    MEMBERSHIP_ENDED = ("membership_ended", 403, "The account is no longer a member of this site")
    SCOPE_MISSING = ("scope_missing", 403, "The token lacks a scope that this route needs")
    PRODUCT_SCOPE_MISSING = ("product_scope_missing", 403, "The token lacks the product scope")
    CORS_REFUSED = ("cors_refused", 403, "Pages of this origin may not call the route so")
    HEADERS_TOO_LARGE = ("headers_too_large", 431, "The request headers are too large")
    NOT_ACCEPTABLE = ("not_acceptable", 406, "The route does not answer in an accepted type")
    PAYLOAD_TOO_LARGE = ("payload_too_large", 413, "The request body is too large")
    MEDIA_TYPE_UNSUPPORTED = ("media_type_unsupported", 415, "The route does not take this type")
    IDEMPOTENCY_KEY_INVALID = ("idempotency_key_invalid", 400, "The Idempotency-Key cannot be used")
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        422,
        "The Idempotency-Key was used for another request",
    )
    IDEMPOTENCY_RUNNING = (
        "idempotency_running",
        409,
        "A call with this Idempotency-Key is still running",
    )
    IDEMPOTENCY_INTERRUPTED = (
        "idempotency_interrupted",
        409,
        "The call with this Idempotency-Key ended without an answer",
    )
    IDEMPOTENCY_UNKEPT = (
        "idempotency_unkept",
        409,
        "The answer under this Idempotency-Key was not kept",
    )
    IDEMPOTENCY_FULL = ("idempotency_full", 429, "Too many idempotency keys are kept")
    RATE_LIMITED = ("rate_limited", 429, "Too many requests")
    INVOCATION_FAILED = ("invocation_failed", 500, "Invocation failed")
    INVOCATION_BAD_RESULT = ("invocation_bad_result", 500, "Invocation failed")
    INVOCATION_WORKER_LOST = ("invocation_worker_lost", 500, "Invocation failed")
    INVOCATION_OUT_OF_MEMORY = ("invocation_out_of_memory", 500, "Invocation failed")
    RESPONSE_TOO_LARGE = ("response_too_large", 500, "Invocation failed")
    INVOCATION_TIMEOUT = ("invocation_timeout", 504, "Invocation failed")
    RUNTIME_BUSY = ("runtime_busy", 503, "The app has no free worker")
    SANDBOX_MISSING = ("sandbox_missing", 503, "This platform cannot run apps safely")
    FACTS_STALE = ("facts_stale", 503, "The gateway cannot confirm its facts")

    # consoles, control API
    NOT_SET_UP = ("not_set_up", 503, "This platform has no operator yet")
    NOT_SIGNED_IN = ("not_signed_in", 401, "Sign in first")
    CREDENTIALS_INVALID = ("credentials_invalid", 401, "The email or the secret is not right")
    SIGN_IN_BROKEN = ("sign_in_broken", 400, "This sign-in cannot be finished")
    SIGN_IN_REFUSED = ("sign_in_refused", 403, "You may not sign in here")
    IDENTITY_PROVIDER_FAILED = (
        "identity_provider_failed",
        502,
        "The identity provider did not answer as it must",
    )
    NOT_ALLOWED = ("not_allowed", 403, "You may not do this")
    CROSS_SITE = ("cross_site", 403, "The request came from another site's page")
    NOT_FOUND = ("not_found", 404, "Not found")
    ALREADY_EXISTS = ("already_exists", 409, "It already exists")
    CONFLICT = ("conflict", 409, "It cannot be done in this state")
    INVALID_INPUT = ("invalid_input", 422, "The input is not valid")
    MANIFEST_INVALID = ("manifest_invalid", 422, "The manifest is not valid")
    BUNDLE_INVALID = ("bundle_invalid", 422, "The app's archive is not valid")
    RUNTIME_UNAVAILABLE = ("runtime_unavailable", 422, "The platform cannot run this app")
    DEPENDENCIES_INVALID = ("dependencies_invalid", 422, "The app's packages cannot be used")
    DEPENDENCIES_UNRESOLVED = (
        "dependencies_unresolved",
        422,
        "The app's packages could not be resolved",
    )
    PACKAGE_INDEX_UNREACHABLE = (
        "package_index_unreachable",
        503,
        "The package index cannot be reached",
    )
    SCOPES_INVALID = ("scopes_invalid", 422, "The custom scopes are not valid")
    SCOPES_NOT_REGISTERED = (
        "CUSTOM_SCOPES_NOT_AVAILABLE",
        422,
        "The deployment names scopes that are not registered",
    )
    MAJOR_NEEDS_APPROVAL = ("MAJOR_VERSION_RULE", 409, "This would be a major version")
    INTERNAL = ("internal", 500, "Something went wrong here")

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code = code
        self.status = status
        self.title = title


class Refused(Exception):
    """A request that is not carried out.

    `detail`: what is wrong, for the caller. `fix`: a sentence that says what to change.
    `members`: extra members of the problem document, already fit for the caller to see.
    `headers`: response headers that belong to the refusal. `operator`: for the log alone.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        fix: str | None = None,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        operator: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.fix = fix
        self.members = dict(members or {})
        self.headers = dict(headers or {})
        self.operator = operator
