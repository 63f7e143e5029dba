"""manifest.yml and custom-scopes.yaml: from untrusted bytes to frozen models and findings.

Owns the YAML bounds, the JSON Schemas, every message about a manifest, the path grammar with the
compiled route table, lint, version rules and OpenAPI. Owns no storage and reads no file: callers
pass bytes. Called by control (deploy, register), gateway (`table`, `paths`) and cli (`lint`).
"""
