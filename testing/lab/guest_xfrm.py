"""Cases of the guest suite: kernel-netlink beside strongSwan's, and with it."""

import time

from . import guest, libreswan
from .guest_pair import (BOTH_ROLES, CHILDREN, CHILDREN6, DROP, OUT, PASS, TRAP, TUNNELS, Pair, conf, net, passive)
from .topology import GATEWAYS, wait_until


def case_same_as_strongswan(binaries):
    """SAs, policies and routes of IPv4 and IPv6 are those that strongSwan installs for the same configuration"""
    ours, theirs = _installed(binaries, "charond"), _installed(binaries, "strongswan")
    rows, differing = [], []
    for what, mine, its in zip(("SA", "policy", "route"), ours, theirs):
        for line in sorted(set(mine) | set(its)):
            counts = mine.count(line), its.count(line)
            rows.append(f"| {what} | {line.replace('|', '/')} | {counts[0]} | {counts[1]} |")
            if counts[0] != counts[1]:
                differing.append(f"{what}: charond {counts[0]}, strongSwan {counts[1]}: {line}")
    head = ["| | `ip` says | charond | strongSwan |", "|---|---|---|---|"]
    (OUT / "same-as-strongswan.md").write_text("\n".join([*head, *rows]) + "\n")
    assert not differing, "\n".join(differing)


def _installed(binaries, kind):
    """SAs, policies and routes on moon, where both daemons are of that kind."""
    times = "\nrekey_time = 1000s\nlife_time = 2000s\nrand_time = 0s"
    children = CHILDREN | {"limits": CHILDREN["limits"] + times}
    with Pair(binaries, (kind, kind)) as pair:
        for gateway in GATEWAYS:
            trap = TRAP if gateway == "moon" else passive({"trap": TRAP})["trap"]
            pair.configure(gateway, conf(gateway, children | {"trap": trap}, six=CHILDREN6, shunts={"pass": PASS, "drop": DROP}))
        for child in (*CHILDREN, *CHILDREN6):
            pair.initiate(child)
        found, node = pair.installed(), pair.lab.nodes["moon"]
        (OUT / f"{kind}.state").write_text(node.run(["ip", "-s", "xfrm", "state"]).stdout)
        (OUT / f"{kind}.policy").write_text(node.run(["ip", "xfrm", "policy"]).stdout)
        pair.finish()
        return found


def case_traffic(binaries):
    """every algorithm and mode carries traffic over IPv4 and IPv6, charond initiating to strongSwan, with the counters of both"""
    _traffic(binaries, ("charond", "strongswan"))


def case_traffic_back(binaries):
    """the same, strongSwan initiating"""
    _traffic(binaries, ("strongswan", "charond"))


def _traffic(binaries, kinds):
    over4 = {name: CHILDREN[name] for name in CHILDREN if name in TUNNELS}
    with Pair(binaries, kinds) as pair:
        pair.both(over4 | {"host": CHILDREN["host"]}, six=CHILDREN6)
        assert pair.pinged("10.2.15.1", 1, 0.3) == 0 and pair.pinged("fd02:1::1", 1, 0.3) == 0, "pings pass without a tunnel"
        for child, (number, family) in TUNNELS.items():
            pair.initiate(child)
            pair.ping(number, family=family)
        for child, address in (("host", "192.0.2.2"), ("host6", "2001:db8::2")):
            pair.initiate(child)
            got = pair.pinged(address)
            assert got == 5, f"{got} of 5 pings in transport mode to {address}"
        for gateway in GATEWAYS:
            seen = {child["name"]: child for child in pair.children(gateway)}
            assert seen.keys() == {*over4, "host", *CHILDREN6}, f"{gateway} has {sorted(seen)}"
            for child in seen.values():
                assert int(child["packets-in"]) >= 5 and int(child["packets-out"]) >= 5, f"{gateway}: {child}"
        pair.finish()


def case_udp_encapsulation(binaries):
    """ESP in UDP, forced, passes both ways"""
    for kinds in BOTH_ROLES:
        with Pair(binaries, kinds) as pair:
            pair.both({"gcm": CHILDREN["gcm"]}, settings="    encap = yes")
            pair.initiate("gcm")
            pair.ping(15)
            shown = pair.lab.nodes["moon"].run(["ip", "xfrm", "state"]).stdout
            assert shown.count("encap type espinudp sport 4500 dport 4500") == 2, shown
            pair.finish()


def case_expiry(binaries):
    """the kernel's soft limits of octets and of time rekey a child that charond initiated, and one that strongSwan did"""
    octets = net(15, "aes128gcm16", "rekey_bytes = 2000", "life_bytes = 200000", "rand_bytes = 0")
    seconds = net(1, "aes128gcm16", "rekey_time = 12s", "life_time = 1h", "rand_time = 0s")
    for kinds in BOTH_ROLES:
        charond = GATEWAYS[kinds.index("charond")]
        for child, number, limited in (("gcm", 15, octets), ("cbc", 1, seconds)):
            with Pair(binaries, kinds) as pair:
                for gateway in GATEWAYS:
                    text = limited if gateway == charond else net(number, "aes128gcm16")
                    pair.configure(gateway, conf(gateway, {child: text}))
                pair.initiate(child)
                before = pair.spis()
                pair.ping(number, 30)
                pair.rekeyed(before)
                pair.ping(number, 3)
                log = pair.daemons[charond].log()
                assert "reached its soft limit" in log, f"the kernel's expiry is not in the log:\n{log[-2000:]}"
                pair.finish()


def case_trap(binaries):
    """the first packet that meets a trap starts the tunnel, and shunts pass and drop"""
    for kinds in (*BOTH_ROLES, ("charond", "charond")):
        with Pair(binaries, kinds) as pair:
            pair.configure("sun", conf("sun", passive({"trap": TRAP})))
            pair.configure("moon", conf("moon", {"trap": TRAP}, shunts={"drop": DROP}))
            assert not pair.daemons["moon"].sas(), "there is an IKE_SA before any packet"
            wait_until(lambda: pair.pinged("10.2.12.1", 3) == 3, 5, "pings through the tunnel that they started")
            shown = pair.lab.nodes["moon"].run(["ip", "xfrm", "policy"]).stdout
            assert "action block" in shown, shown
            pair.finish()


def case_migrate(binaries):
    """MOBIKE: the kernel moves each SA together with its policy (XFRM_MSG_MIGRATE), at either end, and its counters go on"""
    before, after = "192.0.2.1", "192.0.2.11"
    for kinds in BOTH_ROLES:
        charond = GATEWAYS[kinds.index("charond")]
        with Pair(binaries, kinds, settings={charond: {"filelog.lab.knl": "2"}}) as pair:
            for gateway in GATEWAYS:
                text = conf(gateway, {"gcm": CHILDREN["gcm"]})
                pair.configure(gateway, text.replace(f"local_addrs = {before}\n", "").replace(f"remote_addrs = {before}\n", ""))
            pair.initiate("gcm")
            pair.ping(15)
            moon = pair.lab.nodes["moon"]
            # Else the kernel takes further addresses of a network away with the first one.
            moon.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/outer/promote_secondaries"])
            moon.ip("address", "add", f"{after}/24", "dev", "outer")
            moon.ip("address", "delete", f"{before}/24", "dev", "outer")
            wait_until(lambda: pair.pinged("10.2.15.1", 2) == 2, 10, "pings after the move")
            pair.ping(15)
            for gateway in GATEWAYS:
                shown = pair.lab.nodes[gateway].run(["ip", "xfrm", "state"]).stdout
                assert shown.split().count(after) == 2 and before not in shown.split(), f"{gateway}:\n{shown}"
                child, = pair.children(gateway)
                assert int(child["packets-in"]) >= 12 and int(child["packets-out"]) >= 12, f"{gateway}: {child}"
            log = pair.daemons[charond].log()
            assert log.count("the kernel migrated SA") == 2, f"charond on {charond}:\n{log[-3000:]}"
            moon.ip("address", "add", f"{before}/24", "dev", "outer")
            moon.ip("address", "delete", f"{after}/24", "dev", "outer")
            pair.finish()


def case_settings(binaries):
    """settings of kernel-netlink: prefixes of hashed policies, ports of SAs in transport mode, policies replaced silently, no roaming"""
    wanted = {"spdh_thresh.ipv4.lbits": "24", "spdh_thresh.ipv4.rbits": "16", "set_proto_port_transport_sa": "yes", "policy_update": "yes",
              "roam_events": "no", "receive_buffer_size": "1M"}
    web, client = "dynamic[tcp/80]", "dynamic[tcp]"
    settings = {"moon": {f"plugins.kernel-netlink.{name}": value for name, value in wanted.items()}}
    with Pair(binaries, settings=settings) as pair:
        nodes = {gateway: pair.lab.nodes[gateway] for gateway in GATEWAYS}
        for gateway, (local, remote) in zip(GATEWAYS, ((web, client), (client, web))):
            text = f"mode = transport\nlocal_ts = {local}\nremote_ts = {remote}\nesp_proposals = aes128gcm16"
            pair.configure(gateway, conf(gateway, {"tcp": text}))
        # Of somebody else, where the child's belongs.
        nodes["moon"].ip("xfrm", "policy", "add", "src", "192.0.2.1/32", "dst", "192.0.2.2/32", "proto", "tcp", "sport", "80", "dir", "out")
        pair.initiate("tcp")
        assert "already exists" not in pair.daemons["moon"].log(), "the other's policy is mentioned"
        shown = {gateway: node.run(["ip", "xfrm", "state"]).stdout for gateway, node in nodes.items()}
        assert shown["moon"].count("proto tcp sport 80") == 1 and shown["moon"].count("proto tcp dport 80") == 1, shown["moon"]
        assert "proto tcp" not in shown["sun"], shown["sun"]
        counted = nodes["moon"].run(["ip", "-s", "-s", "xfrm", "policy", "count"]).stdout
        assert "IPv4 thresholds: local 24 remote 16" in counted, counted
        nodes["moon"].run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/outer/promote_secondaries"])
        nodes["moon"].ip("address", "add", "192.0.2.11/24", "dev", "outer")
        nodes["moon"].ip("address", "delete", "192.0.2.1/24", "dev", "outer")
        time.sleep(5)
        assert [sa["remote-host"] for _, sa in pair.daemons["sun"].sas()] == ["192.0.2.1"], "it moved"
        nodes["moon"].ip("address", "add", "192.0.2.1/24", "dev", "outer")
        nodes["moon"].ip("address", "delete", "192.0.2.11/24", "dev", "outer")
        pair.finish()


def case_libreswan(binaries):
    """tunnels with libreswan, from either side"""
    for initiator in ("charond", "libreswan"):
        # It takes its time for the first message.
        with Pair(binaries, settings={"moon": {"retransmit_tries": "6"}}) as pair:
            peer = pair.lab.own(libreswan.Pluto(pair.lab, guest.LIBRESWAN))
            pair.configure("moon", conf("moon", {"gcm": CHILDREN["gcm"]}, proposals="aes256gcm16-prfsha512-modp2048"))
            if initiator == "charond":
                pair.initiate("gcm")
            else:
                peer.initiate()
            # Sun has no route of its own into the tunnel.
            pair.lab.nodes["sun"].ip("route", "replace", "10.1.15.0/24", "via", "192.0.2.1", "src", "10.2.15.1")
            pair.ping(15)
            pair.finish(["moon"])
