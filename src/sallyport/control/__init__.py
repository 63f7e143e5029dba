"""Use-cases behind consoles, control API and CLI: provision, register, deploy, install, approve.

A use-case is one function `(services, actor, ...)`. It checks the actor's authority inside the same
transaction as the write, so that a role lost meanwhile counts. Owns who may do what on the
platform; does not own what a call to an app may do (that is `scopes` and `gateway`), nor pages.
Called by web alone.
"""
