"""The function as a Python app of ours."""

import json


def hello(request, context):
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"hello": request.path}),
    }


def echo(request, context):
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": request.body,
    }
