"""Settings of the identity provider: what cannot work is said at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from sallyport.app.provider import make_provider
from sallyport.settings import BadSetting, read_settings

GOOD = {
    "SALLYPORT_OIDC_ISSUER": "https://idp.test/realm",
    "SALLYPORT_OIDC_CLIENT_ID": "sallyport",
    "SALLYPORT_OIDC_MAPPING": "mapping.yaml",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SALLYPORT_OIDC_ISSUER": "http://idp.test"}, "must be an https URL"),
        ({"SALLYPORT_OIDC_ISSUER": "https://idp.test/?a=1"}, "must be an https URL"),
        ({"SALLYPORT_OIDC_ISSUER": "https://a@idp.test"}, "must be an https URL"),
        ({"SALLYPORT_OIDC_ISSUER": "https://["}, "must be an https URL"),
        ({"SALLYPORT_OIDC_CLIENT_ID": ""}, "needs SALLYPORT_OIDC_CLIENT_ID"),
        ({"SALLYPORT_OIDC_MAPPING": ""}, "needs SALLYPORT_OIDC_MAPPING"),
        ({"SALLYPORT_OIDC_SCOPES": "email"}, "must hold openid"),
        ({"SALLYPORT_PASSWORDS": "none"}, "takes all or operators"),
        ({"SALLYPORT_OIDC_ISSUER": "", "SALLYPORT_PASSWORDS": "operators"}, "needs SALLYPORT_OIDC"),
        (
            {"SALLYPORT_OIDC_CLIENT_SECRET": "a", "SALLYPORT_OIDC_CLIENT_SECRET_FILE": "b"},
            "not both",
        ),
    ],
)
def test_what_cannot_work_is_said(changes: dict[str, str], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        read_settings({**GOOD, **changes})


def test_the_files_are_read_at_the_start(tmp_path: Path) -> None:
    mapping, secret = tmp_path / "mapping.yaml", tmp_path / "secret"
    settings = read_settings(
        {
            **GOOD,
            "SALLYPORT_OIDC_MAPPING": str(mapping),
            "SALLYPORT_OIDC_CLIENT_SECRET_FILE": str(secret),
        }
    )
    with pytest.raises(BadSetting, match="SECRET_FILE names a file that cannot be read"):
        make_provider(settings)
    secret.write_text(" \n")
    with pytest.raises(BadSetting, match="holds no text"):
        make_provider(settings)
    secret.write_text("the secret\n")
    with pytest.raises(BadSetting, match="MAPPING names a file that cannot be read"):
        make_provider(settings)
    mapping.write_text("sites:\n  - {site: a.test, role: owner, claim: x}\n")
    with pytest.raises(BadSetting, match=r"mapping.yaml:2:\d+: sites.0.role must be member"):
        make_provider(settings)
    mapping.write_text("{}")
    provider = make_provider(settings)
    assert provider is not None
    assert provider.config.client_secret == "the secret"
    assert "the secret" not in repr(provider.config)
    assert make_provider(read_settings({})) is None
