"""What the benchmarks of servers share: cores of their own, servers' processes, wrk, packages."""
