"""What a virtual router does to the host and the wire, by the numbers of the conformance list."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lab import vici
from lab.shell import run
from lab.topology import wait_until

from . import routers
from .wire import PRIMARY, Capture, Pinger, Wire

V3 = routers.Setup("v3-ipv4-vmac")
FLOOD = Path(__file__).with_name("flood.py")


class Case:
    """A test on one charond, sometimes two."""

    kinds = frozenset({"charond"})
    interval_s = 0

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
    # Nor does the macvlan answer for the address of the interface.
    wire.nodes["host"].ip("neigh", "del", PRIMARY["a"], "dev", "br0")
    own = Pinger(wire, PRIMARY["a"])
    time.sleep(0.5)
    own.longest_gap()
    macs = {frame[22:28].hex(":") for _, frame in capture.frames if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02"
            and frame[28:32] == socket.inet_aton(PRIMARY["a"])}
    assert len(macs) == 1 and not macs & {"00:00:5e:00:01:33"}, macs


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
def a_definition_that_is_wrong_names_its_key_and_changes_nothing(wire, binaries):
    """Over VICI; a change of role is told as an event, with the state before and the reason."""
    router = _active(routers.make("charond", wire, "a", V3, 100, binaries))
    before, transitions = router.state(), router.transitions()
    for key, value in {"vrid": "256", "priority": "0", "advert_interval": "5ms", "version": "4", "checksum": "maybe", "auth": "md5",
                       "addresses": ["192.0.2.1/24", "fd00::1/64"]}.items():
        reply = router.request("load-vrouter", {"gw": {"interface": "e0", "vrid": "51", "addresses": ["192.0.2.1/24"]} | {key: value}})
        assert reply["success"] == "no" and key in reply["errmsg"], (key, reply)
    reply = router.request("load-vrouter", {"other": {"interface": "e0", "vrid": "51", "addresses": ["192.0.2.9/24"]}})
    assert reply["success"] == "no" and "gw" in reply["errmsg"], reply
    after = router.state()
    kept = ("state", "priority", "vrid", "version", "addresses", "interface")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept} and router.transitions() == transitions
    with vici.Client(router.socket) as client:
        client.subscribe("vrouter-state")
        wire.nodes["a"].ip("addr", "del", "192.0.2.11/24", "dev", "e0")
        event = client.event()["gw"]
    assert (event["former-state"], event["state"], event["reason"]) == ("active", "init", "no-primary-ip-address"), event


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
    states = a.states
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
    wait_until(lambda: list(a.states().values()).count("active") == 255, 20, "all of them active")
    a.stop()
    assert "macvlan" not in wire.nodes["a"].ip("-d", "link", "show").stdout


@case
def answers_solicitations_with_the_virtual_mac_and_defends_the_address(wire, binaries):
    """Case 64."""
    setup = routers.Setup("v3-ipv6-vmac", addresses=("fe80::1/64", "fd00::1/64"))
    _active(routers.make("charond", wire, "a", setup, 150, binaries))
    b = routers.make("charond", wire, "b", setup, 100, binaries)
    b.start()
    host = wire.nodes["host"]
    capture = wire.own(Capture(wire))
    gap = Pinger(wire, "fd00::1")
    time.sleep(1)
    gap.longest_gap()
    wait_until(lambda: "00:00:5e:00:02:33" in host.ip("-6", "neigh", "show", "fd00::1").stdout, 3, "the virtual MAC")
    target = socket.inet_pton(socket.AF_INET6, "fd00::1")
    answers = [frame for _, frame in capture.frames if _is_advertisement(frame) and frame[62:78] == target]
    assert answers and {frame[6:12].hex(":") for frame in answers} == {"00:00:5e:00:02:33"}, answers
    # The macvlan does not answer for an address of the interface.
    wire.nodes["a"].ip("addr", "add", "fd00::11/64", "dev", "e0", "nodad")
    own = Pinger(wire, "fd00::11")
    time.sleep(0.5)
    own.longest_gap()
    macs = {frame[6:12].hex(":") for _, frame in capture.frames
            if _is_advertisement(frame) and frame[62:78] == socket.inet_pton(socket.AF_INET6, "fd00::11")}
    assert len(macs) == 1 and not macs & {"00:00:5e:00:02:33"}, macs
    # The second host that wants the address is told that it is taken.
    host.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/br0/accept_dad; echo 1 > /proc/sys/net/ipv6/conf/br0/dad_transmits"])
    host.ip("addr", "add", "fd00::1/64", "dev", "br0")
    wait_until(lambda: "dadfailed" in host.ip("-6", "addr", "show", "dev", "br0").stdout, 5, "the duplicate being noticed")


@case
def under_load_255_routers_see_no_false_takeover(wire, binaries):
    """Case 71, for VRRP_SOAK_S seconds, 20 unless told; 600 are the case's. All routers of b stay Backup however busy the machine is."""
    seconds = int(os.environ.get("VRRP_SOAK_S", "20"))
    sections = {f"r{vrid}": {"interface": "e0", "vrid": str(vrid), "addresses": [f"198.51.100.{vrid}/32"], "vmac": "no"}
                for vrid in range(1, 256) if vrid != 51}
    setup = routers.Setup("many", interval=1, vmac=False)
    pair = [routers.make("charond", wire, name, setup, priority, binaries) for name, priority in (("a", 150), ("b", 100))]
    for router, priority in zip(pair, ("150", "100")):
        router.start()
        with vici.Client(router.socket) as client:
            for name, section in sections.items():
                reply = client.request("load-vrouter", {name: section | {"priority": priority}})
                assert reply["success"] == "yes", reply
    wait_until(lambda: set(pair[0].states().values()) == {"active"}, 30, "all of a active")
    wait_until(lambda: set(pair[1].states().values()) == {"backup"}, 30, "all of b backup")
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=lambda: os.nice(0))
            for _ in range(os.cpu_count())]
    try:
        before = [pair[1].transitions(), pair[0].transitions()]
        time.sleep(seconds)
        assert [pair[1].transitions(), pair[0].transitions()] == before, "a role changed"
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    return f"{seconds} s with {len(hogs)} busy processes"


@case
def a_flood_of_forged_adverts_makes_no_backup_active(wire, binaries):
    """All of lower priority than the Backup, most of them wrong: it hears the Active router among them."""
    setup = routers.Setup("flood", vmac=False)
    a, b = (routers.make("charond", wire, name, setup, priority, binaries) for name, priority in (("a", 150), ("b", 149)))
    _active(a)
    b.start()
    time.sleep(1)
    assert b.state()["state"] == "backup"
    before = [router.transitions() for router in (a, b)]
    sent = subprocess.run(wire.nodes["host"].enter([sys.executable, str(FLOOD), "51", "51", "5", "br0=192.0.2.99"]),
                          capture_output=True, text=True, check=True).stdout.strip()
    assert [router.transitions() for router in (a, b)] == before, "a role changed"
    assert (a.state()["state"], b.state()["state"]) == ("active", "backup")
    return f"{sent} adverts in 5 s"


@case
def an_owner_s_addresses_are_answered_with_the_virtual_mac_alone(wire, binaries):
    """Owner (255) whose addresses stand on the interface itself: neither ARP nor neighbour answers come from its own MAC address."""
    node, host = wire.nodes["a"], wire.nodes["host"]
    node.ip("addr", "add", "fd00::11/64", "dev", "e0", "nodad")
    router = routers.make("charond", wire, "a", routers.Setup("owner", addresses=("192.0.2.11/24",)), 255, binaries)
    _active(router)
    reply = router.request("load-vrouter", {"gw6": {"interface": "e0", "vrid": "52", "priority": "255", "advert_interval": "100ms",
                                                    "addresses": ["fe80::11/64", "fd00::11/64"]}})
    assert reply["success"] == "yes", reply
    wait_until(lambda: router.states() == {"gw": "active", "gw6": "active"}, 5, "both active")
    time.sleep(0.5)
    capture = wire.own(Capture(wire))
    for address in ("192.0.2.11", "fd00::11"):
        run(["ip", "-n", host.name, "neigh", "flush", "all"])
        pinger = Pinger(wire, address)
        time.sleep(1)
        pinger.longest_gap()
    arp = {frame[22:28].hex(":") for _, frame in capture.frames
           if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and frame[28:32] == bytes([192, 0, 2, 11])}
    target = socket.inet_pton(socket.AF_INET6, "fd00::11")
    neighbour = {frame[6:12].hex(":") for _, frame in capture.frames if _is_advertisement(frame) and frame[62:78] == target}
    assert arp == {"00:00:5e:00:01:33"}, arp
    assert neighbour == {"00:00:5e:00:02:34"}, neighbour
    # Other addresses of the interface are answered for as ever.
    node.ip("addr", "add", "192.0.2.77/24", "dev", "e0")
    pinger = Pinger(wire, "192.0.2.77")
    time.sleep(1)
    pinger.longest_gap()
    assert "00:00:5e" not in host.ip("neigh", "show", "192.0.2.77").stdout
    router.stop()
    assert "192.0.2.11/24" in node.ip("addr", "show", "e0").stdout
    run(["ip", "-n", host.name, "neigh", "flush", "all"])
    pinger = Pinger(wire, "192.0.2.11")
    time.sleep(1)
    pinger.longest_gap()


@case
def everything_else_that_can_be_tracked_has_its_say(wire, binaries):
    """A process, a route and a pool; what cannot be tracked is refused by name."""
    node = wire.nodes["a"]
    router = routers.make("charond", wire, "a", V3, 150, binaries)
    router.keys = {"track": {"way": {"route": "10.77.0.0/16", "weight": "-20"}, "room": {"pool": "small", "weight": "-40"},
                             "helper": {"process": "sleep", "weight": "10"}}}
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        _active(router)
        wait_until(lambda: router.state()["effective-priority"] == "100", 5, "the route and the pool missing, the process there")
        node.ip("route", "add", "10.77.0.0/16", "via", "192.0.2.100")
        wait_until(lambda: router.state()["effective-priority"] == "120", 5, "the route")
        reply = router.request("load-pool", {"small": {"addrs": "10.78.0.0/30"}})
        assert reply["success"] == "yes", reply
        wait_until(lambda: router.state()["effective-priority"] == "160", 5, "the pool")
    finally:
        sleeper.kill()
        sleeper.wait()
    reply = router.request("load-vrouter", {"gw": {"interface": "e0", "vrid": "51", "addresses": ["192.0.2.1/24"],
                                                   "track": {"peer": {"bfd": "neighbour"}}}})
    assert reply["success"] == "no" and "track.peer.bfd" in reply["errmsg"] and "BFD" in reply["errmsg"], reply


@case
def rvrrpd_s_file_is_read_again_on_sighup(wire, binaries):
    """Its routers, log files and pid file; a broken file changes nothing."""
    router = routers.make("charond", wire, "a", V3, 150, binaries)
    base = router.directory
    router.rvrrpd_conf = base / "rvrrpd.conf"
    head = f"debug = 1\ntime_zone = 'utc'\ntime_format = 'short'\npid = '{base}/rvrrpd-pid'\nmain_log = '{base}/main'\n"

    def vrouter(group, more=""):
        return f"[[vrouter]]\ngroup = {group}\ninterface = 'e0'\nvip = '192.0.2.{group}'\niftype = 'macvlan'\n{more}\n"

    def reload(text):
        router.rvrrpd_conf.write_text(text)
        router.processes[0].send_signal(signal.SIGHUP)

    node = wire.nodes["a"]
    before = node.ip("link", "show", "e0").stdout, node.ip("route", "show").stdout
    static = "[[protocols.static]]\nroute = '10.66.0.0'\nmask = '255.255.0.0'\nnh = '192.0.2.100'\n"
    plain = vrouter(22).replace("macvlan", "ether")
    router.rvrrpd_conf.write_text(head + vrouter(21) + plain + static)
    router.start(load=False)
    names = lambda: sorted(router.states())  # noqa: E731
    assert names() == ["rvrrpd-e0-21", "rvrrpd-e0-22"], names()
    wait_until(lambda: set(router.states().values()) == {"active"}, 10, "both active")
    assert int((base / "rvrrpd-pid").read_text()) > 0
    assert "10.66.0.0/16 via 192.0.2.100" in node.ip("route", "show").stdout
    assert node.ip("link", "show", "e0").stdout == before[0], "the interface was changed"
    main = (base / "main").read_text()
    assert "rvrrpd-e0-21" in main and main.startswith("["), main[:300]
    transitions = router.transitions()
    reload(head + vrouter(21) + vrouter(23) + static)
    wait_until(lambda: names() == ["rvrrpd-e0-21", "rvrrpd-e0-23"], 5, "the other router")
    assert router.transitions().get("rvrrpd-e0-21") == transitions["rvrrpd-e0-21"]
    reload(head + vrouter(21) + vrouter(24, "priority = 300"))
    wait_until(lambda: "priority: " in (base / "main").read_text(), 5, f"the directive by name in {router.log()[-900:]}")
    assert names() == ["rvrrpd-e0-21", "rvrrpd-e0-23"], names()
    router.stop()
    assert not (base / "rvrrpd-pid").exists()
    assert (node.ip("link", "show", "e0").stdout, node.ip("route", "show").stdout) == before, "something was left"


@case
def thousands_of_routers_live_in_one_daemon(wire, binaries):
    """VRRP_ROUTERS, 4,000 unless told, 250 on an interface: start, a reload of all without a change of role, a flood of adverts, bounded memory."""
    count = int(os.environ.get("VRRP_ROUTERS", "4000"))
    node, host = wire.nodes["a"], wire.nodes["host"]
    router = routers.make("charond", wire, "a", V3, 150, binaries)
    router.start(load=False)
    places = {}
    for number in range(count // 250):
        name = f"m{number}"
        run(["ip", "link", "add", name, "netns", node.name, "type", "veth", "peer", "name", f"to-{name}", "netns", host.name])
        host.ip("link", "set", f"to-{name}", "up")
        node.ip("link", "set", name, "up")
        node.ip("addr", "add", f"10.{number}.255.1/16", "dev", name)
        for vrid in range(1, 251):
            places[f"{name}-{vrid}"] = {"interface": name, "vrid": str(vrid), "addresses": [f"10.{number}.0.{vrid}/32"],
                                        "vmac": "no", "priority": "150"}

    def load():
        with vici.Client(router.socket, timeout_s=60) as client:
            for name, section in places.items():
                reply = client.request("load-vrouter", {name: section})
                assert reply["success"] == "yes", reply

    begin = time.monotonic()
    load()
    loaded = time.monotonic() - begin
    wait_until(lambda: list(router.states().values()).count("active") == count, 90, "all of them active")
    active = time.monotonic() - begin
    before = router.transitions()
    begin = time.monotonic()
    load()
    again = time.monotonic() - begin
    assert router.transitions() == before, "a reload changed a role"
    kib = router.memory_kib()
    # Adverts for every one of them, forged or not: lower priority, a wrong checksum, one too many addresses.
    floods = [f"to-m{number}=10.{number}.255.9" for number in range(count // 250)]
    heard = _dropped(router)
    sent = subprocess.run(host.enter([sys.executable, str(FLOOD), "1", "250", "5", *floods]),
                          capture_output=True, text=True, check=True).stdout.strip()
    assert router.transitions() == before, "a flood changed a role"
    unhurt = [name for name, dropped in _dropped(router).items() if dropped == heard[name]]
    assert not unhurt, f"the flood did not reach {len(unhurt)} of them, such as {unhurt[:3]}"
    grown = router.memory_kib() - kib
    assert grown < 8 << 10, f"{grown} KiB more after a flood"
    return f"loaded in {loaded:.1f} s, all active after {active:.1f} s, loaded again in {again:.1f} s, {kib / count:.1f} KiB each; " \
           f"a flood of {sent} adverts: {grown} KiB more"


def _dropped(router):
    """How many adverts each router dropped for a wrong checksum or length."""
    return {name: sum(int(section["statistics"][leaf]) for leaf in ("checksum-errors", "packet-length-errors"))
            for name, section in router.sections().items()}


def _arps(capture):
    return [(at, frame) for at, frame in capture.frames
            if frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42] == bytes([192, 0, 2, 1])]


def _is_advertisement(frame):
    return frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136
