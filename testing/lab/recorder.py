"""A VICI server that keeps what it is sent and answers as it is told."""

import hashlib
import socket
import threading

from . import vici

# What a list command answers with, and under which key.
LISTS = {"get-conns": "conns", "get-authorities": "authorities", "get-keys": "keys", "get-shared": "keys"}


class Recorder:
    """Listens at a path for one client after the other; a context manager."""

    def __init__(self, path, *, held=None, refused=(), unknown=()):
        self.packets = []
        self._held, self._refused, self._unknown = held or {}, refused, unknown
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                while (frame := self._frame(client)) is not None:
                    self.packets.append(frame)
                    reply = self._answer(frame)
                    client.sendall(len(reply).to_bytes(4, "big") + reply)

    @staticmethod
    def _frame(client):
        def exactly(count):
            data = b""
            while len(data) < count:
                piece = client.recv(count - len(data))
                if not piece:
                    return None
                data += piece
            return data

        try:
            length = exactly(4)
            return exactly(int.from_bytes(length, "big")) if length else None
        except ConnectionError:
            return None

    def _answer(self, frame):
        if not frame or frame[0] != vici.REQUEST:
            return bytes([vici.CONFIRM])
        command = frame[2:2 + frame[1]].decode("latin-1")
        if command in self._unknown:
            return bytes([vici.UNKNOWN])
        return bytes([vici.RESPONSE]) + vici.encode(self._reply(command, frame[2 + frame[1]:]))

    def _reply(self, command, message):
        if command in LISTS:
            kind = command.removeprefix("get-")
            return {LISTS[command]: self._held.get(kind, [])}
        if command == "get-pools":
            return {name: {"base": "10.0.0.0", "size": "1", "online": "0", "offline": "0"}
                    for name in self._held.get("pools", [])}
        if command == "load-key":
            return {"success": "yes", "id": hashlib.sha1(message).hexdigest()}
        if command == "load-token":
            return {"success": "yes", "id": "70" * 20}
        if any(name.encode() in message for name in self._refused):
            return {"success": "no", "errmsg": "unknown option: foo, config discarded"}
        return {"success": "yes"}


def shown(packet):
    """A packet as people read it."""
    kind = packet[0] if packet else -1
    if kind != vici.REQUEST:
        return f"packet type {kind}: {packet[1:].hex()}"
    name = packet[2:2 + packet[1]].decode("latin-1")
    body = packet[2 + packet[1]:]
    try:
        return f"{name} {vici.decode(body)!r}"
    except vici.ViciError as error:
        return f"{name} {body.hex()} ({error})"
