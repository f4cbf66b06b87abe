"""Cases of the guest suite: kernel-pfkey with strongSwan's kernel-netlink as its peer."""

from . import leftovers
from .guest_pair import BOTH_ROLES, TRAP, Pair, conf, net, net6, passive
from .topology import GATEWAYS, wait_until

SETTINGS = {"load": "kernel-pfkey kernel-netlink vici"}
# What PF_KEY can carry; it is offered more in the first.
CHILDREN = {
    "sha1": net(1, "aes256gcm16, aes128-sha1"),
    "sha384": net(2, "aes192-sha384"),
    "sha512": net(3, "aes256-sha512"),
    "ctr": net(4, "aes128ctr-sha1"),
    "six": net6(16, "aes128-sha1"),
    "host": "mode = transport\nesp_proposals = aes128-sha384",
}
OVER6 = {"gw6": net6(1, "aes128-sha512"), "four6": net(17, "aes128-sha1")}
TUNNELS = {"sha1": (1, 4), "sha384": (2, 4), "sha512": (3, 4), "ctr": (4, 4), "six": (16, 6), "gw6": (1, 6), "four6": (17, 4)}


def _pair(binaries, kinds):
    """Charond with PF_KEY, wherever it is."""
    return Pair(binaries, kinds, settings={gateway: SETTINGS for gateway, kind in zip(GATEWAYS, kinds) if kind == "charond"})


def case_pfkey_traffic(binaries):
    """PF_KEY against strongSwan's netlink, both initiating: tunnel and transport mode, IPv4 and IPv6, all that it can carry"""
    for kinds in BOTH_ROLES:
        with _pair(binaries, kinds) as pair:
            pair.both(CHILDREN, six=OVER6)
            charond = GATEWAYS[kinds.index("charond")]
            assert "kernel-pfkey" in pair.daemons[charond].log(), "kernel-pfkey is not loaded"
            for child, (number, family) in TUNNELS.items():
                pair.initiate(child)
                pair.ping(number, family=family)
            pair.initiate("host")
            assert pair.pinged("192.0.2.2") == 5, "transport mode"
            pair.finish()


def case_pfkey_ah(binaries):
    """PF_KEY: AH in tunnel and transport mode, over IPv4 and IPv6, in both roles"""
    def ah(text):
        return text.replace("esp_proposals", "ah_proposals")

    # Over IPv4 the kernel pads longer ICVs to 64 bits and PF_KEY has no word against it.
    over4 = {"ah1": ah(net(1, "sha1")), "host": "mode = transport\nah_proposals = sha1"}
    over6 = {"ah2": ah(net6(2, "sha512")), "four6": ah(net(17, "sha384")), "host6": over4["host"]}
    for kinds in BOTH_ROLES:
        with _pair(binaries, kinds) as pair:
            pair.both(over4, six=over6)
            for child, number, family in (("ah1", 1, 4), ("ah2", 2, 6), ("four6", 17, 4)):
                pair.initiate(child)
                pair.ping(number, family=family)
            for child, address in (("host", "192.0.2.2"), ("host6", "2001:db8::2")):
                pair.initiate(child)
                got = pair.pinged(address)
                assert got == 5, f"{got} of 5 pings in transport mode to {address}"
            shown = pair.lab.nodes["moon"].run(["ip", "xfrm", "state"]).stdout
            assert shown.count("proto ah ") == 10 and "proto esp" not in shown, shown
            pair.finish()


def case_pfkey_encapsulation(binaries):
    """PF_KEY: ESP in UDP, and a trap that starts its tunnel, in both roles"""
    children = {"sha1": CHILDREN["sha1"], "trap": TRAP.replace("aes128gcm16", "aes128-sha1")}
    for kinds in BOTH_ROLES:
        with _pair(binaries, kinds) as pair:
            pair.configure("sun", conf("sun", passive(children), settings="    encap = yes"))
            pair.configure("moon", conf("moon", children, settings="    encap = yes"))
            pair.initiate("sha1")
            pair.ping(1)
            wait_until(lambda: pair.pinged("10.2.12.1", 3) == 3, 5, "pings through the tunnel that they started")
            pair.finish()


def case_pfkey_expiry(binaries):
    """PF_KEY: the kernel's soft limits of octets and of time rekey a child"""
    octets = net(1, "aes128-sha1", "rekey_bytes = 2000", "life_bytes = 200000", "rand_bytes = 0")
    seconds = net(2, "aes128-sha1", "rekey_time = 12s", "life_time = 1h", "rand_time = 0s")
    for kinds, child, number, limited in ((BOTH_ROLES[0], "octets", 1, octets), (BOTH_ROLES[1], "seconds", 2, seconds)):
        charond = GATEWAYS[kinds.index("charond")]
        with _pair(binaries, kinds) as pair:
            for gateway in GATEWAYS:
                pair.configure(gateway, conf(gateway, {child: limited if gateway == charond else net(number, "aes128-sha1")}))
            pair.initiate(child)
            before = pair.spis()
            pair.ping(number, 30)
            pair.rekeyed(before)
            pair.ping(number, 3)
            assert "reached its soft limit" in pair.daemons[charond].log(), "the kernel's expiry is not in the log"
            pair.finish()


def case_pfkey_crash(binaries):
    """PF_KEY: what a killed daemon left is removed by the next, and what is others' stays"""
    settings = dict.fromkeys(GATEWAYS, SETTINGS)
    shunt = "local_ts = 10.{local}.14.0/24\nremote_ts = 10.{remote}.14.0/24\nmode = drop\nstart_action = trap"
    trap = TRAP.replace("aes128gcm16", "aes128-sha1")
    with Pair(binaries, settings=settings) as pair:
        node = pair.lab.nodes["moon"]
        foreign = ["src", "198.51.100.1", "dst", "198.51.100.2"]
        node.run(["ip", "xfrm", "state", "add", *foreign, "proto", "esp", "spi", "0x4242", "reqid", "99", "mode", "tunnel",
                  "auth", "hmac(sha1)", "0x" + "07" * 20, "enc", "cbc(aes)", "0x" + "07" * 16])
        node.run(["ip", "xfrm", "policy", "add", "src", "10.77.0.0/16", "dst", "10.78.0.0/16", "dir", "out", "priority", "7",
                  "tmpl", *foreign, "proto", "esp", "reqid", "99", "mode", "tunnel"])
        pair.clean["moon"] = leftovers.snapshot(node)
        chosen = {name: CHILDREN[name] for name in ("sha1", "six")}
        pair.configure("sun", conf("sun", chosen | passive({"trap": trap})))
        pair.configure("moon", conf("moon", chosen | {"trap": trap}, shunts={"drop": shunt}))
        for child in chosen:
            pair.initiate(child)
        pair.daemons["moon"].kill()
        left = leftovers.difference(pair.clean["moon"], leftovers.snapshot(node))
        assert left.count("xfrm") >= 8 and "route" in left, f"SIGKILL left only:\n{left}"
        pair.daemons["moon"].start()
        states, policies, _ = pair.installed()
        assert len(states) == 1 and len(policies) == 1, f"after the start: {states} {policies}"
        # Two SAs and three policies of each child, three policies each of the trap and the shunt.
        assert "removed 4 SAs and 12 policies" in pair.daemons["moon"].log(), "the log does not say what was removed"
        pair.daemons["sun"].kill()
        pair.daemons["sun"].start()
        pair.finish()
