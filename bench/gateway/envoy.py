"""Envoy in front of a Python function: JWT filter with its cache, then the scope by RBAC."""

from __future__ import annotations

import json
from typing import Any

from bench.gateway.contender import SCOPE
from bench.gateway.tokens import ISSUER

_TYPES = "type.googleapis.com/envoy.extensions"


def envoy_config(port: int, upstream: int, jwks: str) -> str:
    """The whole configuration, as JSON, which Envoy reads as YAML."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    filters = [
        _filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", _jwt(jwks)),
        _filter("rbac", "rbac.v3.RBAC", _scope()),
        _filter("router", "router.v3.Router", {}),
    ]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "way_in",
        "generate_request_id": False,
        "http_filters": filters,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "function",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "function"}}],
                }
            ]
        },
    }
    listener = {
        "address": address,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [_to(upstream)]}})


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    typed = {"@type": f"{_TYPES}.filters.http.{kind}", **config}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def _jwt(jwks: str) -> dict[str, Any]:
    return {
        "providers": {
            "bench": {
                "issuer": ISSUER,
                "audiences": [ISSUER],
                "local_jwks": {"inline_string": jwks},
                "payload_in_metadata": "claims",
                "jwt_cache_config": {"jwt_cache_size": 50_000},
            }
        },
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
    }


def _scope() -> dict[str, Any]:
    scope = {
        "metadata": {
            "filter": "envoy.filters.http.jwt_authn",
            "path": [{"key": "claims"}, {"key": "scope"}],
            "value": {"string_match": {"contains": SCOPE}},
        }
    }
    policy = {"permissions": [{"any": True}], "principals": [scope]}
    return {"rules": {"action": "ALLOW", "policies": {"scope": policy}}}


def _to(port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "name": "function",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "function",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
