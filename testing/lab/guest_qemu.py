"""Cases of the guest suite that need Debian's own kernel: XFRM interfaces and nftables."""

import json

from . import leftovers, nat
from .guest_pair import BOTH_ROLES, CHILDREN, Pair, conf, net
from .topology import GATEWAYS, wait_until

ANY = {"any": "local_ts = 0.0.0.0/0\nremote_ts = 0.0.0.0/0\nesp_proposals = aes128gcm16\nif_id_in = 7\nif_id_out = 7"}
# Its route into the interface is charond's work.
ROUTED = {"routed": net(18, "aes128gcm16", "if_id_in = 7", "if_id_out = 7")}
OWN_ROUTES = "charon {\n  plugins {\n    kernel-netlink {\n      install_routes_xfrmi = yes\n    }\n  }\n}\n"
OUTSIDE, AFTER = "192.0.2.50", "192.0.2.51"


def qemu_interface_and_nat(binaries):
    """a route-based tunnel through an XFRM interface; then ESP in UDP through an nftables NAT that forgets its mappings; both roles"""
    # In one role the tunnel is of any to any, with routes of its user.
    for kinds, child, number in zip(BOTH_ROLES, (ROUTED, ANY), (18, 20)):
        with Pair(binaries, kinds) as pair:
            for gateway, kind, (local, remote) in zip(GATEWAYS, kinds, ((1, 2), (2, 1))):
                node, one = pair.lab.nodes[gateway], pair.daemons[gateway]
                node.run([binaries.charond, "xfrmi", "--name", "xfrm0", "--id", "7", "--dev", "outer"])
                assert "xfrm0 if_id 0x7" in node.run([binaries.charond, "xfrmi", "--list"]).stdout
                if child is ROUTED and kind == "charond":
                    one.conf.write_text(one.conf.read_text() + OWN_ROUTES)
                else:
                    node.ip("route", "add", f"10.{remote}.{number}.0/24", "dev", "xfrm0", "src", f"10.{local}.{number}.1")
                pair.clean[gateway] = leftovers.snapshot(node)
                # Liveness checks tell the initiator of its new mapping; sun does not know where moon is.
                text = conf(gateway, child | {"gcm": CHILDREN["gcm"]}, settings="    dpd_delay = 2s")
                pair.configure(gateway, text.replace("remote_addrs = 192.0.2.1\n", "remote_addrs = %any\n"))
            pair.initiate(*child)
            pair.ping(number, 3)
            link, = json.loads(pair.lab.nodes["moon"].run(["ip", "-j", "-s", "link", "show", "xfrm0"]).stdout)
            assert link["stats64"]["tx"]["packets"] >= 3 and link["stats64"]["rx"]["packets"] >= 3, link
            pair.swanctls["moon"]("--terminate", "--ike", "gw")
            nat.insert(pair.lab, OUTSIDE)
            pair.initiate("gcm")
            pair.ping(15, 3)
            shown = pair.lab.nodes["sun"].run(["ip", "xfrm", "state"]).stdout
            assert shown.count("encap type espinudp") == 2 and f"src {OUTSIDE} dst 192.0.2.2" in shown, shown
            nat.rebind(pair.lab, AFTER, OUTSIDE)
            wait_until(lambda: pair.pinged("10.2.15.1", 2) and _peer_at(pair, AFTER), 10, f"the peer at {AFTER}")
            pair.ping(15, 3)
            pair.finish()


def _peer_at(pair, address):
    return [sa["remote-host"] for _, sa in pair.daemons["sun"].sas()] == [address]
