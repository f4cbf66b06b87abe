"""The Python client of PyPI, any version. See README.md."""

import json
import socket
import sys

import vici
from vici.exception import CommandException


def text(value):
    """Bytes as Latin-1, in whatever they are."""
    if isinstance(value, dict):
        return {text(key): text(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [text(inner) for inner in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value


def raw(value):
    """The reverse for what is sent: strings as bytes."""
    if isinstance(value, dict):
        return {key: raw(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [raw(inner) for inner in value]
    return value.encode("latin-1")


def execute(session, order):
    command, event = order["command"], order.get("stream")
    method = getattr(session, command.replace("-", "_"), None)
    message = raw(order.get("message") or {})
    try:
        if method is None:
            # What the library has no method for is asked for by name.
            answer = session.streamed_request(command, event, message) if event else session.request(command, message)
        else:
            answer = method(message) if message else method()
        if order.get("stream"):
            return {"reply": None, "events": [text(event) for event in answer]}
        return {"reply": text(answer or {}), "events": []}
    except CommandException as error:
        return {"refused": str(error)}


def main():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    session = vici.Session(sock)
    if "--listen" in sys.argv:
        for name, message in session.listen(sys.argv[3].split(",")):
            name = name.decode() if isinstance(name, bytes) else name
            print(json.dumps({"event": name, "message": text(message)}), flush=True)
        return
    for line in sys.stdin:
        print(json.dumps(execute(session, json.loads(line))), flush=True)


main()
