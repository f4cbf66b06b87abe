"""NATs, each in a namespace of its own.

One that is inserted stands between gateways and the wire: they keep their address and their network, it answers for
the neighbours that they ask for, and hides them behind an address of its own on the wire. What comes to that address at the
ports of IKE may be forwarded to the gateway. One that is attached gives a gateway another way to the wire, by a network and a device of its own.
"""

from .namespace import Namespace
from .shell import run
from .topology import ADDRESSES

RULES = """
table ip nat {{
  chain leaving {{
    type nat hook postrouting priority srcnat
    oifname "outside" masquerade{how}
  }}
{forward}
}}
"""
FORWARD = """
  chain coming {{
    type nat hook prerouting priority dstnat
    iifname "outside" udp dport {{ 500, 4500 }} dnat to {address}
  }}
"""
# The network of a NAT that is attached, and who is who in it.
LAN, ROUTER, CLIENT = "192.168.7.0/24", "192.168.7.1", "192.168.7.2"


def insert(lab, outside, gateways=("moon",), forward=False):
    """Puts it between these gateways and the wire; `forward`: the peer may begin."""
    wire = lab.nodes["wire"]
    box = _box(lab, gateways[0], outside)
    for gateway in gateways:
        link = f"to-{gateway}"
        wire.ip("link", "set", link, "nomaster", "netns", box.name)
        box.ip("link", "set", link, "up")
        box.run(["sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{link}/proxy_arp; "
                             f"echo 0 > /proc/sys/net/ipv4/neigh/{link}/proxy_delay"])
        box.ip("route", "add", ADDRESSES[gateway]["outer4"], "dev", link)
    _translate(box, ADDRESSES[gateways[0]]["outer4"] if forward else None)


def attach(lab, gateway, device, outside):
    """Gives the gateway a device whose network leads to the wire through it, for when there is no better way."""
    box = _box(lab, gateway, outside)
    node = lab.nodes[gateway]
    run(["ip", "link", "add", device, "netns", node.name, "type", "veth", "peer", "name", "inside", "netns", box.name])
    box.ip("address", "add", f"{ROUTER}/24", "dev", "inside")
    box.ip("link", "set", "inside", "up")
    node.ip("address", "add", f"{CLIENT}/24", "dev", device)
    node.ip("link", "set", device, "up")
    node.ip("route", "add", "default", "via", ROUTER, "dev", device)
    _translate(box)


def _translate(box, forward_to=None):
    """Hides what goes out; `forward_to`: IKE that comes in goes there, and a port that is forwarded stays what it is."""
    rules = RULES.format(how="" if forward_to else " random",
                         forward=FORWARD.format(address=forward_to) if forward_to else "")
    if box.run(["nft", "-f", "-"], stdin=rules, check=False).returncode == 0:
        return
    # User-mode Linux has NAT by iptables alone.
    iptables = ["iptables-legacy", "-w", "-t", "nat", "-A"]
    box.run([*iptables, "POSTROUTING", "-o", "outside", "-j", "MASQUERADE", *([] if forward_to else ["--random"])])
    if forward_to:
        box.run([*iptables, "PREROUTING", "-i", "outside", "-p", "udp", "-m", "multiport", "--dports", "500,4500",
                 "-j", "DNAT", "--to-destination", forward_to])


def _box(lab, gateway, outside):
    box = lab.nodes[f"nat-{gateway}"] = Namespace(lab.prefix, f"nat-{gateway}")
    wire = lab.nodes["wire"]
    far = f"nat-{gateway}"
    run(["ip", "link", "add", "outside", "netns", box.name, "type", "veth", "peer", "name", far, "netns", wire.name])
    wire.ip("link", "set", far, "master", "br0", "up")
    box.ip("link", "set", "outside", "up")
    box.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
    box.ip("address", "add", f"{outside}/24", "dev", "outside")
    return box


def rebind(lab, outside, before, gateway="moon"):
    """Mappings go with the address that they were made for."""
    box = lab.nodes[f"nat-{gateway}"]
    box.ip("address", "add", f"{outside}/32", "dev", "outside")
    box.ip("address", "del", f"{before}/24", "dev", "outside")
    box.ip("address", "add", f"{outside}/24", "dev", "outside")
