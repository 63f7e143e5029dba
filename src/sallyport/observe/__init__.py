"""Logs and metrics of the platform itself.

Owns metric names and the log format. Does not own what app code prints (that is `runtime` and
`store.records`). Every room may call it; it imports only the vocabulary.
"""
