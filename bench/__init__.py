"""Measurements of Sallyport, run by `make bench-*`; `bench/results` keeps what came out."""
