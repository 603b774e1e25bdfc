"""A custom handler on azure-functions, Microsoft's library for functions in Python, which says what the library read.

The library's converters decode a trigger's value and its metadata; the host's Python worker hands them over as `Datum`s.
Here they are those of `Data` and `Metadata`, which this file takes apart itself. Only the form of a value decides which
`Datum` it becomes: of timers and messages no field is known here, so that none can be put right; those of an HTTP request
get the worker's names. <https://github.com/Azure/azure-functions-python-library>,
<https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers#request-payload>
"""

import base64
import datetime
import inspect
import json
import logging
import os
from collections.abc import Mapping
from types import SimpleNamespace

from azure.functions import HttpResponse
from azure.functions.meta import Datum, get_binding_registry
from werkzeug import Request, Response
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.serving import run_simple

# Methods of the library's types that give a field; the others are properties.
METHODS = ("get_body", "get_json")


def read(thing):
    """Every field that the library offers of what it decoded, by name."""
    names = [name for name, _ in inspect.getmembers(type(thing), lambda member: isinstance(member, property))]
    fields = {}
    for name in [*names, *METHODS]:
        if name.startswith("_") or not hasattr(type(thing), name):
            continue
        try:
            value = getattr(thing, name)
            fields[name] = plain(value() if name in METHODS else value)
        except (NotImplementedError, ValueError) as error:
            fields[name] = type(error).__name__
    return fields


def plain(value):
    """As JSON has it; bytes that are no text as a list."""
    if isinstance(value, MultiDict):
        return {key: [plain(item) for item in items] for key, items in value.lists()}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, FileStorage):
        return {"filename": value.filename, "type": value.content_type, "content": plain(value.read())}
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return list(value)
    return value


def datum(value):
    """A value of `Metadata`: JSON, JSON text in a string, or a string as it is."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return Datum(value, "string")
        return Datum(value, "json")
    return Datum(json.dumps(value), "json")


def http_datum(request):
    """A request of `Data`, as the worker has it: a name's values joined, what has no value left out."""
    texts = lambda values: {name: Datum(value, "string") for name, value in values.items() if value is not None}
    headers = {name: ",".join(values) for name, values in request["Headers"].items()}
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    body = Datum(request.get("Body", ""), "string")
    if content_type.startswith(("application/octet-stream", "multipart/")):
        body = Datum(base64.b64decode(body.value), "bytes")
    return Datum(
        {
            "method": Datum(request["Method"], "string"),
            "url": Datum(request["Url"], "string"),
            "headers": texts(headers),
            "query": texts(request["Query"]),
            "params": texts(request["Params"]),
            "body": body,
        },
        "http",
    )


def message_datum(binding, value):
    """One body or several, as text or as base64."""
    binary = binding.get("dataType") == "binary"
    if binding.get("cardinality") == "many":
        bodies = json.loads(value)
        if binary:
            return Datum(SimpleNamespace(bytes=[base64.b64decode(body) for body in bodies]), "collection_bytes")
        return Datum(SimpleNamespace(string=bodies), "collection_string")
    return Datum(base64.b64decode(value), "bytes") if binary else Datum(json.loads(value), "string")


def decode(binding, invocation):
    """What the library makes of the trigger."""
    value = invocation["Data"][binding["name"]]
    kinds = {"httpTrigger": http_datum, "serviceBusTrigger": lambda value: message_datum(binding, value)}
    data = kinds.get(binding["type"], datum)(value)
    metadata = {name: datum(value) for name, value in invocation["Metadata"].items()}
    return get_binding_registry().get(binding["type"]).decode(data, trigger_metadata=metadata)


def http_reply(response):
    """The library's response as the value of an `http` binding."""
    encoded = get_binding_registry().get("http").encode(response, expected_type=None).value
    return {
        "statusCode": encoded["status_code"].value,
        "headers": {name: value.value for name, value in encoded["headers"].items()},
        "body": encoded["body"].value.decode(),
    }


def invoke(function, invocation):
    """The reply: what was read, in the response or else as a line of the function's log."""
    with open(os.path.join(function, "function.json")) as definition:
        binding = json.load(definition)["bindings"][0]
    trigger = decode(binding, invocation)
    fields = json.dumps([read(item) for item in trigger] if isinstance(trigger, list) else read(trigger))
    if binding["type"] == "httpTrigger":
        if "fail" in trigger.params:
            raise RuntimeError("the caller wants a failure")
        headers = {"X-Own": "one"}
        response = HttpResponse(fields, status_code=201, headers=headers, mimetype="application/json")
        return {"Outputs": {"res": http_reply(response)}}
    if getattr(trigger, "subject", None) == "fail once" and trigger.delivery_count == 1:
        raise RuntimeError("the sender wants a failure")
    return {"Logs": [fields]}


@Request.application
def application(request):
    if request.method != "POST":
        return Response(status=404)
    reply = invoke(request.path.removeprefix("/"), request.get_json())
    return Response(json.dumps(reply), mimetype="application/json")


# What is no error would be one to the host, which takes all of stderr for errors.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
run_simple("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"]), application, threaded=True)
