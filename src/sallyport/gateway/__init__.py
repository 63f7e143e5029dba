"""The way in: every call to an app's REST API walks through one visible list of steps.

`steps.STEPS` is the security order. Steps are plain synchronous functions over facts at hand; a
step that lacks a fact says which, it is loaded, and the steps run again. The gateway caches facts,
never decisions. Owns the call from its bytes to its record. Does not own what scopes mean
(`scopes`), where code runs (`runtime`) or how tokens are made (`tokens`). Mounted by `app`.
"""
