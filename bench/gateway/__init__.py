"""The same call through this gateway and others: requests a second, latencies, memory.

`python -m bench.gateway` (or `make bench`). Contenders take turns in shuffled rounds in one run, so
that what else the machine does falls on all of them alike.
"""
