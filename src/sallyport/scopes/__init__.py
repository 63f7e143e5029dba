"""Scope grammar and the pure decision: may this token, with these facts, pass this route?

Owns what a scope name means and what is missing when a call is refused. Owns no lookup and no
clock: callers bring facts. Called by manifest, oauth, control and gateway.
"""
