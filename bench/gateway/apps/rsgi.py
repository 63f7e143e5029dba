"""The function on granian, behind Envoy."""

import json

JSON = [("content-type", "application/json")]


async def app(scope, proto):
    if scope.method == "GET":
        proto.response_str(200, JSON, json.dumps({"hello": scope.path}))
    else:
        proto.response_bytes(200, JSON, await proto())
