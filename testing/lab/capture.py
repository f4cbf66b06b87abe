"""What crossed the wire: sniff.py writes it, this reads it."""

import ipaddress
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EXCHANGES = {34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL"}
SNIFF = Path(__file__).with_name("sniff.py")
UDP, IKE_PORTS = 17, (500, 4500)
NOTIFY, COOKIE = 41, (16390).to_bytes(2, "big")
IPSEC = {50: "esp", 51: "ah"}
# Headers that may stand between IPv6 and UDP, with a length octet in units of 8.
IPV6_EXTENSIONS = (0, 43, 60)


@dataclass(frozen=True)
class Packet:
    """One packet: who to whom, what it is, and the exchange if it is IKE."""

    source: str
    target: str
    kind: str  # "ike", "esp", "ah", "keepalive", "neighbour" or a description of what else it is
    exchange: str = ""
    response: bool = False
    cookie: bool = False  # its first payload is a COOKIE


class Capture:
    """A capture on the bridge of the lab; `packets` may be called while it runs."""

    def __init__(self, lab):
        self.path = lab.directory / "wire.pcap"
        self._process = subprocess.Popen(
            lab.nodes["wire"].enter(["setpriv", "--pdeathsig", "KILL", sys.executable, SNIFF, "to-sun", self.path]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        assert self._process.stdout.readline() == b"listening\n", "no capture on the wire"

    def __str__(self):
        return "capture"

    def close(self):
        """Ends it; the file stays."""
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()

    def packets(self):
        """All packets so far."""
        return [parse(frame) for frame in frames(self.path.read_bytes())]


def frames(data):
    """The frames of a pcap file, whole records only."""
    if len(data) < 24:
        return
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        if at + 16 + length > len(data):
            return
        yield data[at + 16:at + 16 + length]
        at += 16 + length


def parse(frame):
    """An Ethernet frame as a Packet."""
    ether = int.from_bytes(frame[12:14], "big")
    ip = frame[14:]
    if ether == 0x0806:
        return Packet("", "", "neighbour")
    if ether == 0x0800 and len(ip) >= 20:
        source, target = (str(ipaddress.IPv4Address(ip[at:at + 4])) for at in (12, 16))
        protocol, payload = ip[9], ip[(ip[0] & 15) * 4:]
        if int.from_bytes(ip[6:8], "big") & 0x1fff:
            return Packet(source, target, f"later fragment of protocol {protocol}")
    elif ether == 0x86dd and len(ip) >= 40:
        source, target = (str(ipaddress.IPv6Address(ip[at:at + 16])) for at in (8, 24))
        protocol, payload = ip[6], ip[40:]
        while protocol in IPV6_EXTENSIONS and len(payload) >= 8:
            protocol, payload = payload[0], payload[8 + payload[1] * 8:]
    else:
        return Packet("", "", f"ethertype {ether:#06x}")
    if protocol == 58 and payload and (payload[0] in range(133, 138) or payload[0] in (130, 131, 132, 143)):
        return Packet(source, target, "neighbour")
    if protocol in IPSEC:
        return Packet(source, target, IPSEC[protocol])
    if protocol != UDP or len(payload) < 8:
        return Packet(source, target, f"IP protocol {protocol}")
    return _udp(source, target, payload)


def _udp(source, target, payload):
    ports = struct.unpack(">HH", payload[:4])
    data = payload[8:]
    if not set(ports) & set(IKE_PORTS):
        return Packet(source, target, f"UDP {ports[0]} to {ports[1]}")
    if 4500 in ports:
        if data == b"\xff":
            return Packet(source, target, "keepalive")
        if data[:4] != bytes(4):
            return Packet(source, target, "esp" if len(data) >= 16 else "short UDP datagram on port 4500")
        data = data[4:]
    if len(data) < 28 or data[17] >> 4 != 2:
        return Packet(source, target, "UDP datagram on an IKE port that is not IKEv2")
    return Packet(source, target, "ike", EXCHANGES.get(data[18], f"exchange {data[18]}"), bool(data[19] & 0x20),
                  data[16] == NOTIFY and data[34:36] == COOKIE)
