"""What app code may ask of the platform, over the capability socket of its worker.

Owns the requests' grammar, limits and error codes. Owns no socket and no table: the runtime brings
bytes and the installation that they came from, the store keeps the data. Called by `app.py`, which
gives `serve.Capabilities.handle` to the runtime's pool.
"""
