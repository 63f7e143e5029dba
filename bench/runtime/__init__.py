"""How soon and how fast the runtime answers, and what an idle worker costs, beside others.

`python -m bench.runtime` (or `make bench-runtime`). Contenders take turns in shuffled rounds in one
run, so that what else the machine does falls on all of them alike.
"""
