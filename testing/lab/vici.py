"""A VICI client of its own, so that what a daemon says is read by code that is not under test."""

import socket
import struct

REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, EVENT_UNKNOWN, EVENT = range(8)
SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)


class ViciError(Exception):
    """The daemon refused, or said something that is not VICI."""


def encode(message):
    """A dict of str, list and dict as message bytes."""
    out = b""
    for name, value in message.items():
        if isinstance(value, dict):
            out += _named(SECTION_START, name) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            items = b"".join(bytes([LIST_ITEM]) + _value(item) for item in value)
            out += _named(LIST_START, name) + items + bytes([LIST_END])
        else:
            out += _named(KEY_VALUE, name) + _value(value)
    return out


def decode(data):
    """Message bytes as a dict; values are str (Latin-1, so that nothing is lost)."""
    root = {}
    stack, items, at = [root], None, 0

    def take(count):
        nonlocal at
        if at + count > len(data):
            raise ViciError("message truncated")
        at += count
        return data[at - count:at]

    def text(width):
        return take(int.from_bytes(take(width), "big")).decode("latin-1")

    while at < len(data):
        kind = take(1)[0]
        if kind == SECTION_START:
            stack.append(stack[-1].setdefault(text(1), {}))
        elif kind == SECTION_END and len(stack) > 1:
            stack.pop()
        elif kind == KEY_VALUE:
            name = text(1)
            stack[-1][name] = text(2)
        elif kind == LIST_START:
            items = stack[-1].setdefault(text(1), [])
        elif kind == LIST_ITEM and items is not None:
            items.append(text(2))
        elif kind == LIST_END and items is not None:
            items = None
        else:
            raise ViciError(f"element {kind} out of place")
    if len(stack) != 1 or items is not None:
        raise ViciError("section or list left open")
    return root


class Client:
    """One connection to a daemon."""

    def __init__(self, path, timeout_s=10):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(str(path))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def request(self, command, message=None):
        """Sends a command and returns the decoded response."""
        self._send(REQUEST, command, encode(message or {}))
        kind, body = self._receive()
        if kind == UNKNOWN:
            raise ViciError(f"unknown command {command}")
        if kind != RESPONSE:
            raise ViciError(f"packet {kind} instead of a response to {command}")
        return decode(body)

    def stream(self, command, event, message=None):
        """Sends a command and returns (events, response)."""
        self.subscribe(event)
        self._send(REQUEST, command, encode(message or {}))
        events = []
        while True:
            kind, body = self._receive()
            if kind == EVENT:
                events.append(decode(body[1 + body[0]:]))
            elif kind == RESPONSE:
                break
            else:
                raise ViciError(f"packet {kind} while streaming {event}")
        self._send(UNREGISTER, event)
        while self._receive()[0] == EVENT:
            pass
        return events, decode(body)

    def subscribe(self, event):
        """Asks for an event."""
        self._send(REGISTER, event)
        kind, _ = self._receive()
        if kind != CONFIRM:
            raise ViciError(f"event {event} refused")

    def event(self):
        """Waits for the next event; its message."""
        kind, body = self._receive()
        if kind != EVENT:
            raise ViciError(f"packet {kind} instead of an event")
        return decode(body[1 + body[0]:])

    def _send(self, kind, name, body=b""):
        packet = _named(kind, name) + body
        self._socket.sendall(struct.pack(">I", len(packet)) + packet)

    def _receive(self):
        packet = self._exactly(struct.unpack(">I", self._exactly(4))[0])
        if not packet:
            raise ViciError("empty packet")
        return packet[0], packet[1:]

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise ViciError("the daemon closed the connection")
            data += part
        return data


def _named(kind, name):
    raw = name.encode()
    return bytes([kind, len(raw)]) + raw


def _value(value):
    raw = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack(">H", len(raw)) + raw
