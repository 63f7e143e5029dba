"""The identity provider as the settings name it, with its files read."""

from __future__ import annotations

from pathlib import Path

from sallyport.control.provider import Provider, ProviderConfig
from sallyport.manifest.claims_mapping import read_claims_mapping
from sallyport.model.claims import ClaimMapping
from sallyport.settings import BadSetting, Settings


def make_provider(settings: Settings) -> Provider | None:
    """None where people sign in with passwords alone. Raises `BadSetting`."""
    if not settings.oidc_issuer:
        return None
    return Provider(
        ProviderConfig(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=_secret(settings),
            scopes=settings.oidc_scopes,
            name=settings.oidc_name,
            mapping=_mapping(settings.oidc_mapping),
            passwords_for_all=settings.passwords == "all",
        )
    )


def _secret(settings: Settings) -> str:
    if not settings.oidc_client_secret_file:
        return settings.oidc_client_secret
    secret = _read("SALLYPORT_OIDC_CLIENT_SECRET_FILE", settings.oidc_client_secret_file)
    try:
        text = secret.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise BadSetting("SALLYPORT_OIDC_CLIENT_SECRET_FILE names a file that holds no text.")
    return text


def _mapping(path: str) -> ClaimMapping:
    read = read_claims_mapping(_read("SALLYPORT_OIDC_MAPPING", path), path)
    if read.mapping is None:
        found = [f"{d.file}:{d.line}:{d.column}: {d.message}" for d in read.diagnostics]
        raise BadSetting("\n".join(["SALLYPORT_OIDC_MAPPING cannot be used.", *found]))
    return read.mapping


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadSetting(f"{name} names a file that cannot be read: {error}.") from None
