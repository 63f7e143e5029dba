"""Settings: `SALLYPORT_*` variables, each also a flag of `sallyport up`.

docs/reference/settings.md lists them, under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sallyport.vocab.forwarded import FAMILIES, Network, Proxies

PREFIX = "SALLYPORT_"


class BadSetting(ValueError):
    """A setting has a value that cannot be used; the text says which and what it takes."""


def _setting(default: Any, text: str, *, flag: str | None = None) -> Any:
    """`flag`: what `sallyport up` calls it, where that is not the field's name."""
    return field(default=default, metadata={"help": text, "flag": flag})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a platform is started with. Fields are the variables' names in lower case."""

    data: str = _setting("data", "Folder for the database, the code of apps and the master key.")
    database_url: str = _setting("", "sqlite:///<path>. Empty: sallyport.db in the data folder.")
    public_url: str = _setting(
        "",
        "The address that callers and browsers use. Empty: localhost and the port.",
    )
    host: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8440, "The port to listen on.")
    admin_host: str = _setting("127.0.0.1", "The address of /livez, /readyz and /metrics.")
    admin_port: int = _setting(8441, "The port of /livez, /readyz and /metrics; 0 picks one.")
    gateways: int = _setting(
        1,
        "How many processes take connections on the public port, with the same workers of apps "
        "behind them. 1: all is one process.",
        flag="workers",
    )
    fast_path: int = _setting(
        1,
        "1: calls and requests for tokens are answered in the server's protocol class; 0: all "
        "requests go through the ASGI application. Answers are the same.",
    )
    dpop_nonces: int = _setting(
        0,
        "1: DPoP proofs must hold a nonce that this platform gave in the last minutes; 0: none is "
        "asked for.",
    )
    tls_certificate: str = _setting(
        "",
        "File of the certificate and its chain, in PEM: speak TLS on the public port. Empty: "
        "speak plain HTTP, for a proxy in front or for this host alone.",
    )
    tls_key: str = _setting("", "File of the certificate's private key, in PEM.")
    trusted_proxies: str = _setting(
        "",
        "Networks and addresses, with commas, of proxies in front whose word is believed on where "
        "requests come from: 10.0.0.0/8. Empty: nobody's.",
    )
    proxy_headers: str = _setting(
        "x-forwarded",
        "What these proxies write: x-forwarded (X-Forwarded-For, -Proto, -Host) or forwarded "
        "(RFC 7239). The other is never read.",
    )
    head_timeout_ms: int = _setting(
        10_000, "How long the head of a request may take to arrive, in milliseconds."
    )
    body_timeout_ms: int = _setting(
        60_000,
        "How long the body of a call, or of a request for a token, may take to arrive, and how "
        "long a client may leave an answer unread, in milliseconds.",
    )
    idle_timeout_ms: int = _setting(
        75_000,
        "How long a connection is kept open without a request, in milliseconds. Longer than the "
        "same of a proxy in front, so that it is the proxy that closes.",
    )
    connections: int = _setting(10_000, "The most connections on the public port.")
    compat: str = _setting(
        "", "forge: answer a scope mismatch as the vendor does (401 and its message)."
    )
    log_level: str = _setting("info", "debug, info, warning or error.")
    workers_per_installation: int = _setting(
        4,
        "The most worker processes, and so the most calls at once, that one installation may have.",
    )
    app_workers: int = _setting(64, "The most worker processes of all installations together.")
    queue_per_installation: int = _setting(
        100, "The most calls of one installation that wait for a worker."
    )
    queue_ms: int = _setting(10_000, "How long a call waits for a worker, in milliseconds.")
    package_index: str = _setting(
        "",
        "The index (PEP 503) that Python packages of apps come from. Empty: what pip uses on this "
        "host; none: apps get no packages.",
    )
    node: str = _setting(
        "", "The Node program that runs Node apps, 20 or later. Empty: the first on PATH."
    )
    warm_node_workers: int = _setting(
        2, "Node processes that are kept started for the next worker; 0 starts each when needed."
    )
    runtime_driver: str = _setting(
        "auto",
        "sandbox: run app code in sandboxes or not at all; plain: run it as ordinary processes of "
        "this user, for code that you trust; auto: as sandbox.",
    )
    app_data_mb: int = _setting(
        256, "The most that one installation may keep in the key-value store, in megabytes."
    )
    web_trigger_calls_per_minute: int = _setting(
        600, "The most calls of one web trigger's URL in a minute."
    )
    integration_calls_per_minute: int = _setting(
        12_000, "The most calls of one integration on one site in a minute; 0: no limit."
    )
    account_calls_per_minute: int = _setting(
        6_000, "The most calls of one account on one site in a minute; 0: no limit."
    )
    app_calls_per_minute: int = _setting(
        18_000,
        "The most calls of one app environment on one site in a minute, by all callers together; "
        "0: no limit.",
    )
    refused_calls_per_minute: int = _setting(
        6_000,
        "The most calls from one network address to one site in a minute that are refused for who "
        "makes them or for where they go; 0: no limit.",
    )
    oauth_address_requests_per_minute: int = _setting(
        6_000,
        "The most requests from one network address to /oauth/token, /oauth/par, /oauth/revoke and "
        "/oauth/introspect, and to /authorize with a pushed request, together in a minute; 0: no "
        "limit.",
    )
    oauth_client_requests_per_minute: int = _setting(
        3_000,
        "The most such requests of one client from one network address in a minute, save those to "
        "/authorize; 0: no limit.",
    )
    sign_in_attempts: int = _setting(
        10,
        "The most failed sign-ins of one email from one network address in ten minutes; five times "
        "as many of one email from anywhere, six times as many from one address.",
    )
    oidc_issuer: str = _setting(
        "",
        "The OpenID Connect provider that people sign in with, by its issuer URL. Empty: none. "
        "docs/guides/sign-in.md says how.",
    )
    oidc_client_id: str = _setting("", "The client id of this platform at the provider.")
    oidc_client_secret: str = _setting(
        "", "The client secret there. Better in a file; empty: a public client, by PKCE alone."
    )
    oidc_client_secret_file: str = _setting("", "File that holds the client secret.")
    oidc_scopes: str = _setting("openid email profile", "The scopes to ask the provider for.")
    oidc_name: str = _setting("single sign-on", "What the sign-in page calls the provider.")
    oidc_mapping: str = _setting(
        "", "File that says who may sign in by the provider, and on which sites as what."
    )
    passwords: str = _setting(
        "all",
        "Who signs in with a password: all, or operators alone (where there is a provider).",
    )
    idempotency_keys: int = _setting(
        100_000, "The most idempotency keys of the last 24 hours that one installation may have."
    )
    idempotency_mb: int = _setting(
        256,
        "The most that is kept of answers under the idempotency keys of one installation, in "
        "megabytes.",
    )
    scheduled_runs_at_once: int = _setting(
        8, "The most scheduled triggers that run at the same time."
    )
    otlp_endpoint: str = _setting(
        "",
        "Where spans of calls are exported to, by OTLP over HTTP: "
        "http://localhost:4318/v1/traces. Empty: nowhere. Needs sallyport[otel].",
    )
    trace_percent: int = _setting(
        10,
        "Of traces that begin here, how many in a hundred are exported. Calls of a trace that the "
        "caller records always are.",
    )
    audit_days: int = _setting(400, "Days that the audit, and usage by the hour, are kept.")
    key_rotation_days: int = _setting(
        90, "Days after which a new key signs access tokens; 0 leaves it to the operator."
    )
    retention_days: int = _setting(30, "Days that decisions and app logs are kept.")
    records_kept: int = _setting(
        200_000, "The most decisions, and the most log lines, that are kept."
    )

    fetch_private: str = _setting(
        "",
        "Private networks and addresses, with commas, that app code may fetch from where its "
        "manifest declares the host: 10.1.0.0/16. Empty: public addresses only.",
    )

    @property
    def fetch_networks(self) -> tuple[Network, ...]:
        """`fetch_private`, parsed. Raises `ValueError`."""
        return _networks(self.fetch_private)

    @property
    def proxies(self) -> Proxies:
        """`trusted_proxies` and `proxy_headers`, parsed. Raises `ValueError`."""
        family = next((each for each in FAMILIES if each == self.proxy_headers), None)
        if family is None:
            raise ValueError(f"{self.proxy_headers!r} is none of {', '.join(FAMILIES)}")
        return Proxies(_networks(self.trusted_proxies), family)

    @property
    def folder(self) -> Path:
        return Path(self.data)

    @property
    def bundles(self) -> Path:
        """Where the code of apps lies; absolute, as workers run in folders of their own."""
        return (self.folder / "bundles").resolve()

    @property
    def address(self) -> str:
        """The public URL without a trailing slash."""
        scheme = "https" if self.tls_certificate else "http"
        return self.public_url.rstrip("/") or f"{scheme}://localhost:{self.port}"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'sallyport.db'}"


LIMITS = (
    "connections",
    "app_workers",
    "workers_per_installation",
    "queue_per_installation",
    "queue_ms",
    "integration_calls_per_minute",
    "account_calls_per_minute",
    "app_calls_per_minute",
    "refused_calls_per_minute",
    "web_trigger_calls_per_minute",
    "oauth_address_requests_per_minute",
    "oauth_client_requests_per_minute",
    "sign_in_attempts",
    "scheduled_runs_at_once",
    "app_data_mb",
    "idempotency_keys",
    "idempotency_mb",
    "records_kept",
    "retention_days",
    "audit_days",
)


def limits_of(settings: Settings) -> list[tuple[str, int, str]]:
    """The limits that operators look at: variable, value, what it limits."""
    texts = {each.name: each.metadata["help"] for each in fields(Settings)}
    return [(variable(name), getattr(settings, name), texts[name]) for name in LIMITS]


def _networks(text: str) -> tuple[Network, ...]:
    parts = (part.strip() for part in text.split(","))
    return tuple(ip_network(part) for part in parts if part)


def flag(setting: Any) -> str:
    """The flag of a setting, a field of `Settings`: `public_url` -> `--public-url`."""
    name: str = setting.metadata["flag"] or setting.name
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a setting: `public_url` -> `SALLYPORT_PUBLIC_URL`."""
    return PREFIX + name.upper()


def read_settings(environ: Mapping[str, str], **flags: Any) -> Settings:
    """Settings from the environment; flags that are not None win. Raises `BadSetting`."""
    if variable("workers") in environ:
        raise BadSetting(
            f"{variable('workers')} is now {variable('app_workers')}, for processes of apps; "
            f"{variable('gateways')} is for processes that take connections."
        )
    values: dict[str, Any] = {}
    for each in fields(Settings):
        given = flags.get(each.name)
        if given is None:
            given = environ.get(variable(each.name))
        if given is None:
            continue
        if isinstance(each.default, int):
            try:
                given = int(given)
            except ValueError:
                raise BadSetting(
                    f"{variable(each.name)} must be a whole number, not {given!r}."
                ) from None
        values[each.name] = given
    settings = Settings(**values)
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    url = urlsplit(settings.address)
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query:
        raise BadSetting(
            f"SALLYPORT_PUBLIC_URL must be http(s)://host[:port] and nothing more, "
            f"not {settings.public_url!r}."
        )
    if not settings.database.startswith("sqlite:///"):
        raise BadSetting(
            "SALLYPORT_DATABASE_URL must begin with sqlite:///. "
            "The store runs on PostgreSQL; the platform does not yet."
        )
    try:
        _ = settings.fetch_networks
    except ValueError as error:
        raise BadSetting(f"SALLYPORT_FETCH_PRIVATE takes networks: {error}.") from None
    try:
        _ = settings.proxies
    except ValueError as error:
        raise BadSetting(
            "SALLYPORT_TRUSTED_PROXIES takes networks, SALLYPORT_PROXY_HEADERS x-forwarded or "
            f"forwarded: {error}."
        ) from None
    if settings.otlp_endpoint:
        _check_traces(settings.otlp_endpoint)
    _check_provider(settings)
    if settings.compat not in ("", "forge"):
        raise BadSetting(f"SALLYPORT_COMPAT takes forge or nothing, not {settings.compat!r}.")
    if settings.runtime_driver not in ("auto", "sandbox", "plain"):
        raise BadSetting(
            f"SALLYPORT_RUNTIME_DRIVER takes auto, sandbox or plain, "
            f"not {settings.runtime_driver!r}."
        )
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise BadSetting(
            f"SALLYPORT_LOG_LEVEL takes debug, info, warning or error, not {settings.log_level!r}."
        )
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise BadSetting("SALLYPORT_TLS_CERTIFICATE and SALLYPORT_TLS_KEY are set together.")
    if settings.fast_path not in (0, 1):
        raise BadSetting(f"SALLYPORT_FAST_PATH takes 0 or 1, not {settings.fast_path}.")
    if settings.dpop_nonces not in (0, 1):
        raise BadSetting(f"SALLYPORT_DPOP_NONCES takes 0 or 1, not {settings.dpop_nonces}.")
    for name, least in (
        ("port", 0),
        ("head_timeout_ms", 1),
        ("body_timeout_ms", 1),
        ("idle_timeout_ms", 1),
        ("connections", 1),
        ("admin_port", 0),
        ("workers_per_installation", 1),
        ("warm_node_workers", 0),
        ("gateways", 1),
        ("app_workers", 1),
        ("queue_per_installation", 0),
        ("queue_ms", 1),
        ("app_data_mb", 1),
        ("web_trigger_calls_per_minute", 1),
        ("idempotency_keys", 1),
        ("idempotency_mb", 0),
        ("integration_calls_per_minute", 0),
        ("account_calls_per_minute", 0),
        ("app_calls_per_minute", 0),
        ("refused_calls_per_minute", 0),
        ("oauth_address_requests_per_minute", 0),
        ("oauth_client_requests_per_minute", 0),
        ("sign_in_attempts", 1),
        ("scheduled_runs_at_once", 1),
        ("audit_days", 1),
        ("trace_percent", 0),
        ("key_rotation_days", 0),
        ("retention_days", 1),
        ("records_kept", 1),
    ):
        if getattr(settings, name) < least:
            raise BadSetting(f"{variable(name)} must be at least {least}.")


def _check_traces(endpoint: str) -> None:
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise BadSetting(f"SALLYPORT_OTLP_ENDPOINT must be an http(s) URL, not {endpoint!r}.")
    for package in ("opentelemetry.sdk", "opentelemetry.exporter"):
        try:
            found = find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise BadSetting(
                "SALLYPORT_OTLP_ENDPOINT needs OpenTelemetry: install sallyport[otel], or unset it."
            )


def _check_provider(settings: Settings) -> None:
    if settings.passwords not in ("all", "operators"):
        raise BadSetting(f"SALLYPORT_PASSWORDS takes all or operators, not {settings.passwords!r}.")
    if not settings.oidc_issuer:
        if settings.passwords != "all":
            raise BadSetting("SALLYPORT_PASSWORDS=operators needs SALLYPORT_OIDC_ISSUER.")
        return
    try:
        issuer = urlsplit(settings.oidc_issuer)
        host = issuer.hostname
    except ValueError:
        host = None
    local = host in ("localhost", "127.0.0.1", "::1")
    if (
        not host
        or issuer.scheme not in (("https", "http") if local else ("https",))
        or issuer.query
        or issuer.fragment
        or issuer.username
        or len(settings.oidc_issuer) > 500
    ):
        raise BadSetting(
            "SALLYPORT_OIDC_ISSUER must be an https URL without query and fragment, as the "
            f"provider writes it, not {settings.oidc_issuer!r}."
        )
    for name in ("oidc_client_id", "oidc_mapping"):
        if not getattr(settings, name):
            raise BadSetting(f"SALLYPORT_OIDC_ISSUER needs {variable(name)}.")
    if settings.oidc_client_secret and settings.oidc_client_secret_file:
        raise BadSetting("Set the client secret or its file, not both.")
    if "openid" not in settings.oidc_scopes.split():
        raise BadSetting("SALLYPORT_OIDC_SCOPES must hold openid.")
