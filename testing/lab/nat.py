"""A NAT between moon and the wire, in a namespace of its own.

Moon keeps its address and its network: the NAT answers for the neighbours that moon asks for, and hides moon
behind an address of its own on the wire.
"""

from .namespace import Namespace
from .shell import run
from .topology import ADDRESSES

RULES = """
table ip nat {
  chain leaving {
    type nat hook postrouting priority srcnat
    oifname "outside" masquerade random
  }
}
"""


def insert(lab, outside):
    """Puts it between moon and the wire."""
    wire = lab.nodes["wire"]
    box = lab.nodes["nat"] = Namespace(lab.prefix, "nat")
    wire.ip("link", "set", "to-moon", "nomaster", "netns", box.name)
    run(["ip", "link", "add", "outside", "netns", box.name, "type", "veth", "peer", "name", "to-nat", "netns", wire.name])
    wire.ip("link", "set", "to-nat", "master", "br0", "up")
    for device in ("to-moon", "outside"):
        box.ip("link", "set", device, "up")
    for setting in ("net/ipv4/ip_forward", "net/ipv4/conf/to-moon/proxy_arp", "net/ipv4/neigh/to-moon/proxy_delay"):
        value = 0 if setting.endswith("delay") else 1
        box.run(["sh", "-c", f"echo {value} > /proc/sys/{setting}"])
    box.ip("address", "add", f"{outside}/24", "dev", "outside")
    box.ip("route", "add", ADDRESSES["moon"]["outer4"], "dev", "to-moon")
    box.run(["nft", "-f", "-"], stdin=RULES)


def rebind(lab, outside, before):
    """Mappings go with the address that they were made for."""
    box = lab.nodes["nat"]
    box.ip("address", "add", f"{outside}/32", "dev", "outside")
    box.ip("address", "del", f"{before}/24", "dev", "outside")
    box.ip("address", "add", f"{outside}/24", "dev", "outside")
