"""The functions behind the routes of manifest.yml.

A function takes the request and the context and returns a status code and a body. State is kept
in the key-value store, apart for each installation.
"""

import logging

from sallyport_app import Context, Request, Response, kvs

log = logging.getLogger(__name__)

PREFIX = "note:"


def list_notes(request: Request, context: Context) -> Response:
    """GET /notes"""
    page = kvs.query(prefix=PREFIX, limit=100)
    return {"statusCode": 200, "body": {"notes": [entry.value for entry in page]}}


def get_note(request: Request, context: Context) -> Response:
    """GET /notes/{id}"""
    note = kvs.get(PREFIX + request.path_parameters["id"])
    if note is None:
        return {"statusCode": 404, "body": {"error": "There is no such note."}}
    return {"statusCode": 200, "body": note}


def put_note(request: Request, context: Context) -> Response:
    """PUT /notes/{id} with {"text": "..."}"""
    try:
        text = request.json()["text"]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        return {"statusCode": 400, "body": {"error": 'Send {"text": "..."}.'}}
    note_id = request.path_parameters["id"]
    note = {"id": note_id, "text": text, "author": context.account_id}
    kvs.set(PREFIX + note_id, note)
    log.info("note %s written by %s", note_id, context.account_id)
    return {"statusCode": 200, "body": note}
