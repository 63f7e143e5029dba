"""The operator's pages: how the platform stands, its keys, its customers, its accounts.

Owns the pages under `/operator`. Owns no rule: that they are for operators only is decided in
`control`, by each use-case. Called by `web.pages` alone.
"""
