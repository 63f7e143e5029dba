"""The control API, `/api/v1`: one file a noun, each with a `router`.

A caller signs in with HTTP Basic, `email:api-token`. Every answer that is no success is a problem
document (RFC 9457).
"""
