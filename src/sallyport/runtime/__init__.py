"""Where app code runs: bundles, zygotes, workers, queues, time limits, logs.

Owns the processes of app code, from a bundle on disk to the checked answer of a call, and the
seam (`sandbox.Driver`) that says what the operating system guarantees about them. Owns no route,
no token and no storage: it is given a `Target`, an `Invocation` and a handler for capability
requests. Called by the gateway (`pool.Pool`) and by control (`bundle.store_bundle`).

One worker process serves one installation, one call at a time; so a worker that dies, or is killed
at its time limit, costs one call. Needs Linux 5.4 or later.
"""
