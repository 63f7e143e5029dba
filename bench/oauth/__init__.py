"""How many tokens a core issues, beside oidc-provider: ours durably, theirs from memory.

`python -m bench.oauth` (or `make bench-oauth`). Contenders take turns in shuffled rounds in one
run, so that what else the machine does falls on all of them alike.
"""
