"""What a virtual router does to the host and the wire, by the numbers of the conformance list."""

import time

from lab.shell import run
from lab.topology import wait_until

from . import routers
from .wire import Capture, Pinger, Wire

V3 = routers.Setup("v3-ipv4-vmac")


class Case:
    """A test on one charond, sometimes two."""

    kinds = frozenset({"charond"})

    def __init__(self, name, body):
        self.name, self._body = name, body

    def play(self, binaries):
        """Plays it; what it returns is a remark."""
        with Wire() as wire:
            return self._body(wire, binaries)


CASES = []


def case(body):
    """Lists a test under its own name."""
    CASES.append(Case(body.__name__, body))
    return body


def _active(router):
    router.start()
    wait_until(lambda: router.state()["state"] == "active", 10, "charond active")
    return router


@case
def announces_after_the_first_advert_from_the_virtual_mac(wire, binaries):
    """Case 61."""
    capture = wire.own(Capture(wire))
    _active(routers.make("charond", wire, "a", V3, 100, binaries))
    wait_until(lambda: _arps(capture), 5, "a gratuitous ARP")
    first_advert = capture.adverts()[0][0]
    at, frame = _arps(capture)[0]
    assert at >= first_advert, "announced before the first advert"
    assert frame[6:12].hex(":") == "00:00:5e:00:01:33" and frame[22:28].hex(":") == "00:00:5e:00:01:33"
    assert frame[28:32] == frame[38:42] == bytes([192, 0, 2, 1])


@case
def answers_arp_once_with_the_virtual_mac_and_as_backup_never(wire, binaries):
    """Case 63."""
    a = _active(routers.make("charond", wire, "a", V3, 150, binaries))
    b = routers.make("charond", wire, "b", V3, 100, binaries)
    b.start()
    time.sleep(1)
    capture = wire.own(Capture(wire))
    run(["ip", "-n", wire.nodes["host"].name, "neigh", "flush", "all"])
    gap = Pinger(wire, "192.0.2.1")
    time.sleep(1)
    gap.longest_gap()
    replies = [frame for _, frame in capture.frames if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02"
               and frame[28:32] == bytes([192, 0, 2, 1])]
    assert replies, "no ARP reply"
    assert {frame[22:28].hex(":") for frame in replies} == {"00:00:5e:00:01:33"}, replies
    assert a.state()["state"] == "active" and b.state()["state"] == "backup"


@case
def a_backup_sends_no_frame_with_the_virtual_mac(wire, binaries):
    """Case 66, for ten seconds."""
    a = _active(routers.make("charond", wire, "a", routers.Setup("p", vmac=False), 150, binaries))
    capture = wire.own(Capture(wire))
    b = routers.make("charond", wire, "b", V3, 100, binaries)
    b.start()
    time.sleep(10)
    assert b.state()["state"] == "backup" and a.state()["state"] == "active"
    strange = [frame for _, frame in capture.frames if frame[6:11] == bytes([0, 0, 0x5e, 0, 1])]
    assert not strange, f"{len(strange)} frames with the virtual MAC, the first is {strange[0].hex()}"


@case
def without_accept_mode_packets_are_dropped_but_arp_is_answered(wire, binaries):
    """Case 65."""
    router = routers.make("charond", wire, "a", V3, 100, binaries, keys={"accept": "no"})
    _active(router)
    host = wire.nodes["host"]
    pinger = Pinger(wire, "192.0.2.1")
    time.sleep(1)
    try:
        pinger.longest_gap()
    except AssertionError:
        pass
    else:
        raise AssertionError("a ping was answered")
    wait_until(lambda: "00:00:5e:00:01:33" in host.ip("neigh", "show", "192.0.2.1").stdout, 3, "an ARP answer")
    router.load(accept="yes")
    pinger = Pinger(wire, "192.0.2.1")
    time.sleep(1)
    pinger.longest_gap()


@case
def an_address_that_others_remove_is_put_back(wire, binaries):
    """Case 67."""
    router = _active(routers.make("charond", wire, "a", V3, 100, binaries))
    wait_until(lambda: wire.holders("192.0.2.1") == ["a"], 3, "the address")
    device = router.state()["vmac-interface"]
    wire.nodes["a"].ip("addr", "del", "192.0.2.1/24", "dev", device)
    wait_until(lambda: wire.holders("192.0.2.1") == ["a"], 2, "the address again")
    wait_until(lambda: "was removed by others" in router.log(), 2, "a line about it")
    wire.nodes["a"].ip("link", "del", device)
    wait_until(lambda: wire.holders("192.0.2.1") == ["a"], 3, "the macvlan again")


@case
def what_a_killed_daemon_left_is_removed_and_settings_are_restored(wire, binaries):
    """Case 68, and the sysctls of the interface below."""
    node = wire.nodes["a"]
    before = node.run(["sysctl", "net.ipv4.conf.e0.arp_ignore", "net.ipv4.conf.e0.arp_announce"]).stdout
    router = _active(routers.make("charond", wire, "a", V3, 100, binaries))
    wait_until(lambda: wire.holders("192.0.2.1") == ["a"], 3, "the address")
    during = node.run(["sysctl", "net.ipv4.conf.e0.arp_ignore", "net.ipv4.conf.e0.arp_announce"]).stdout
    assert during != before
    router.kill()
    assert wire.holders("192.0.2.1") == ["a"]
    router.keys = {"priority": "90"}
    router.start()
    router.request("unload-vrouter", {"name": "gw"})
    assert wire.holders("192.0.2.1") == []
    assert "macvlan" not in node.ip("-d", "link", "show").stdout
    after = node.run(["sysctl", "net.ipv4.conf.e0.arp_ignore", "net.ipv4.conf.e0.arp_announce"]).stdout
    assert after == before, f"left: {after}"


@case
def a_reload_without_change_misses_no_advert(wire, binaries):
    """Case 69."""
    router = _active(routers.make("charond", wire, "a", V3, 100, binaries))
    capture = wire.own(Capture(wire))
    for _ in range(30):
        router.load()
        time.sleep(0.05)
    router.load(priority="110")
    time.sleep(0.5)
    capture.close()
    times = [advert[0] for advert in capture.adverts()]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert max(gaps) < 0.25, f"{max(gaps):.3f} s without an advert"
    state = router.state()
    assert state["statistics"]["master-transitions"] == "1" and state["priority"] == "110"


@case
def a_shutdown_sends_one_advert_of_priority_zero_and_leaves_nothing(wire, binaries):
    """Case 57."""
    router = _active(routers.make("charond", wire, "a", V3, 100, binaries))
    capture = wire.own(Capture(wire))
    time.sleep(0.5)
    router.stop()
    time.sleep(0.3)
    leaves = [advert for advert in capture.adverts() if advert[5] == 0]
    assert len(leaves) == 1, f"{len(leaves)} adverts of priority 0"
    assert capture.adverts()[-1][5] == 0
    assert wire.holders("192.0.2.1") == []


@case
def an_interface_may_come_late_vanish_and_come_back(wire, binaries):
    """Cases 58 and 59, and an interface that is made anew."""
    node = wire.nodes["a"]
    node.ip("link", "del", "e0")
    router = routers.make("charond", wire, "a", V3, 100, binaries)
    router.start()
    assert (router.state()["state"], router.state()["reason"]) == ("init", "interface-missing")
    wire.attach("a")
    wait_until(lambda: router.state()["state"] == "active", 5, "active after the interface came")
    node.ip("link", "del", "e0")
    wait_until(lambda: router.state()["state"] == "init", 3, "init after it vanished")
    wire.attach("a")
    wait_until(lambda: router.state()["state"] == "active" and wire.holders("192.0.2.1") == ["a"], 5, "active again")
    node.ip("addr", "del", "192.0.2.11/24", "dev", "e0")
    wait_until(lambda: router.state()["reason"] == "no-primary-ip-address", 3, "no source address")
    node.ip("addr", "add", "192.0.2.11/24", "dev", "e0")
    wait_until(lambda: router.state()["state"] == "active", 5, "active with an address")


@case
def tracking_changes_the_priority_and_the_role(wire, binaries):
    """Case 60, by a file, a script and an interface."""
    a = routers.make("charond", wire, "a", V3, 150, binaries)
    flag = a.directory / "flag"
    a.keys = {"track": {"manual": {"file": str(flag), "weight": "1"},
                        "check": {"script": f"test ! -e {a.directory}/bad", "interval": "100ms", "weight": "0"}}}
    flag.write_text("0")
    b = routers.make("charond", wire, "b", V3, 100, binaries)
    _active(a)
    b.start()
    flag.write_text("-80")
    wait_until(lambda: b.state()["state"] == "active", 5, "b active after a's priority fell")
    assert a.state()["effective-priority"] == "70"
    flag.write_text("0")
    wait_until(lambda: a.state()["state"] == "active", 5, "a active again")
    (a.directory / "bad").write_text("")
    wait_until(lambda: a.state()["state"] == "init", 5, "a out by its script")
    assert a.state()["failing"] == ["check"] and b.state()["state"] != "init"
    (a.directory / "bad").unlink()
    wait_until(lambda: a.state()["state"] == "active", 5, "a back")


@case
def routers_of_a_group_change_together(wire, binaries):
    """Case 70."""
    a = routers.make("charond", wire, "a", V3, 150, binaries, keys={"group": "g"})
    node = wire.nodes["a"]
    run(["ip", "link", "add", "e1", "netns", node.name, "type", "veth", "peer", "name", "to-e1", "netns",
         wire.nodes["host"].name])
    wire.nodes["host"].ip("link", "set", "to-e1", "up")
    node.ip("link", "set", "e1", "up")
    node.ip("addr", "add", "198.51.100.11/24", "dev", "e1")
    a.start()
    reply = a.request("load-vrouter", {"inside": {"interface": "e1", "vrid": "52", "addresses": ["198.51.100.1/24"],
                                                  "advert_interval": "100ms", "group": "g"}})
    assert reply["success"] == "yes", reply
    def states():
        from lab import vici
        with vici.Client(a.socket) as client:
            events, _ = client.stream("list-vrouters", "list-vrouter")
        return {name: router["state"] for event in events for name, router in event.items()}
    wait_until(lambda: states() == {"gw": "active", "inside": "active"}, 5, "both active")
    wire.nodes["host"].ip("link", "set", "to-e1", "down")
    begin = time.monotonic()
    wait_until(lambda: "active" not in states().values(), 2, "both out")
    took = time.monotonic() - begin
    wire.nodes["host"].ip("link", "set", "to-e1", "up")
    wait_until(lambda: states() == {"gw": "active", "inside": "active"}, 5, "both active again")
    return f"both left after {took * 1000:.0f} ms"


@case
def scripts_and_the_fifo_hear_of_changes_in_order(wire, binaries):
    """keepalived's notify and notify_fifo."""
    router = routers.make("charond", wire, "a", V3, 100, binaries)
    log = router.directory / "notified"
    router.keys = {"notify": f"f() {{ echo \"$@\" >>{log}; }}; f"}
    _active(router)
    router.stop()
    lines = log.read_text().splitlines()
    assert lines == ["INSTANCE gw BACKUP 100", "INSTANCE gw MASTER 100", "INSTANCE gw STOP 100"], lines


@case
def routes_and_rules_are_there_while_active(wire, binaries):
    """keepalived's virtual_routes and virtual_rules."""
    node = wire.nodes["a"]
    router = routers.make("charond", wire, "a", V3, 100, binaries, keys={
        "routes": {"r": {"to": "10.9.0.0/16", "via": "192.0.2.100", "metric": "7"}},
        "rules": {"r": {"from": "10.9.0.0/16", "table": "77", "priority": "700"}}, "excluded": ["fd00::77/128", "10.8.0.1/32"]})
    _active(router)
    wait_until(lambda: "10.9.0.0/16 via 192.0.2.100" in node.ip("route", "show").stdout, 3, "the route")
    assert "from 10.9.0.0/16 lookup 77" in node.ip("rule", "show").stdout
    wait_until(lambda: wire.holders("10.8.0.1") == ["a"] and wire.holders("fd00::77") == ["a"], 3, "excluded addresses")
    router.stop()
    assert "10.9.0.0/16" not in node.ip("route", "show").stdout + node.ip("rule", "show").stdout


@case
def unicast_peers_elect_without_multicast(wire, binaries):
    """Unicast."""
    a = routers.make("charond", wire, "a", V3, 150, binaries, keys={"peers": ["192.0.2.12"]})
    b = routers.make("charond", wire, "b", V3, 100, binaries, keys={"peers": ["192.0.2.11"]})
    a.start()
    b.start()
    wait_until(lambda: (a.state()["state"], b.state()["state"]) == ("active", "backup"), 8, "a active, b backup")
    capture = wire.own(Capture(wire))
    time.sleep(1)
    assert not [advert for advert in capture.adverts() if advert[6][:3] == b"\x01\x00\x5e"], "an advert to the group"
    a.stop()
    wait_until(lambda: b.state()["state"] == "active", 3, "b active")


@case
def hundreds_of_routers_share_an_interface(wire, binaries):
    """255 routers, each with its own macvlan."""
    a = routers.make("charond", wire, "a", routers.Setup("many", interval=1), 150, binaries)
    _active(a)
    for vrid in [vrid for vrid in range(1, 256) if vrid != 51]:
        reply = a.request("load-vrouter", {f"r{vrid}": {
            "interface": "e0", "vrid": str(vrid), "addresses": [f"198.51.100.{vrid}/32"]}})
        assert reply["success"] == "yes", reply
    def active():
        from lab import vici
        with vici.Client(a.socket) as client:
            events, _ = client.stream("list-vrouters", "list-vrouter")
        return sum(router["state"] == "active" for event in events for router in event.values())
    wait_until(lambda: active() == 255, 20, "all of them active")
    a.stop()
    assert "macvlan" not in wire.nodes["a"].ip("-d", "link", "show").stdout


def _arps(capture):
    return [(at, frame) for at, frame in capture.frames
            if frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42] == bytes([192, 0, 2, 1])]
