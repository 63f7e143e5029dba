"""The nouns, as frozen dataclasses: what exists, who is who, who may what, what was decided.

Owns shapes and the facts that follow from one value alone. Owns no storage, no policy, no clock.
"""
