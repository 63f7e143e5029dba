"""Secrets of every kind: minted, verified, rotated, ended.

Owns what a secret looks like, how long it lives and the pure policy of its life. Does not own
OAuth's messages (that is `oauth`) nor who may have a secret (`control`). Called by oauth, gateway
and control.
"""
