"""What a Python handler may import: request, context, key-value store, product APIs, fetch.

    from sallyport_app import Context, Request, Response, kvs

    def get_employee(request: Request, context: Context) -> Response:
        employee = kvs.get(request.path_parameters["id"])
        return {"statusCode": 200, "body": employee}

Standard library only, typed, and small; documented in docs/reference/functions.md
and the pages that it names. What the library asks of the platform goes through the
capability socket of the worker, so it works inside a call only.
"""

from sallyport_app import fetch, kvs, product
from sallyport_app._context import Context
from sallyport_app._request import Request
from sallyport_app._response import Response

__all__ = ["Context", "Request", "Response", "fetch", "kvs", "product"]
