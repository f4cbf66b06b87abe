"""Virtual routers and IKE together: a connection that belongs to a virtual router, with strongSwan as the peer."""

import time

from lab import daemon, swanctl
from lab.shared_address import IMPATIENT, NO_PATH_FILTER, PERSISTENT, SHARED, of_gateway, of_peer, role
from lab.stage import written
from lab.topology import wait_until

from .conformance import Case
from .wire import HOST, Pinger

INNER = {"a": "10.1.0.1", "b": "10.1.0.1", "host": "10.2.0.1"}
CASES = []


def case(body):
    """Lists a test under its own name."""
    one = Case(body.__name__, body)
    one.kinds = frozenset({"charond"})
    CASES.append(one)
    return body


class Site:
    """Gateways a and b share an address; strongSwan on the host has a tunnel to it."""

    def __init__(self, wire, binaries, gateway_keys, *, peer_child="", local=SHARED):
        self.wire = wire
        self.one, self.ctl = {}, {}
        for name in ("a", "b", "host"):
            wire.nodes[name].ip("address", "add", f"{INNER[name]}/32", "dev", "lo")
            wire.nodes[name].sh(written(*NO_PATH_FILTER))
            one = daemon.make("strongswan" if name == "host" else "charond", wire, name, binaries, settings=IMPATIENT)
            if name == "host":
                text = of_peer(HOST, INNER["host"], INNER["a"], child=peer_child)
            else:
                text = of_gateway(HOST, INNER[name], INNER["host"], local=local, more=gateway_keys)
            (one.swanctl_dir / "swanctl.conf").write_text(text)
            one.start()
            self.one[name], self.ctl[name] = one, swanctl.make(one.kind, one, binaries)
            self.ctl[name].load_all()
        self.prioritize(a=150, b=100)
        self.wait(a="active", b="backup")

    def prioritize(self, **priorities):
        """Gives the gateways' routers other priorities, as a reload would."""
        for name, priority in priorities.items():
            with self.one[name].vici() as client:
                reply = client.request("load-vrouter", {"gw": {
                    "interface": "e0", "vrid": "51", "addresses": [f"{SHARED}/24"], "priority": str(priority),
                    "advert_interval": "100ms"}})
            assert reply["success"] == "yes", reply

    def wait(self, **states):
        """Until the gateways have these roles."""
        wait_until(lambda: all(role(self.one[name]) == state for name, state in states.items()), 10, f"{states}")

    def initiate(self, name, **options):
        """Brings the tunnel up."""
        return self.ctl[name]("--initiate", "--child", "net", timeout=20, **options)

    def up(self, name):
        """Unique ids of the established IKE_SAs of a daemon."""
        return [sa["uniqueid"] for _, sa in self.one[name].sas() if sa["state"] == "ESTABLISHED"]

    def ping(self):
        """Whether a ping goes through the tunnel."""
        pinger = Pinger(self.wire, INNER["a"])
        time.sleep(0.5)
        try:
            pinger.longest_gap()
        except AssertionError:
            return False
        return True


@case
def sas_are_closed_when_their_virtual_router_is_lost(wire, binaries):
    """`vrouter_loss = close`, the default: the new Active router gets the tunnel, the old one has nothing left of it."""
    site = Site(wire, binaries, "", peer_child=PERSISTENT)
    site.initiate("host")
    wait_until(lambda: site.up("a"), 5, "the SA on a")
    assert site.ping(), "no ping through the tunnel to a"
    local = [sa["local-host"] for _, sa in site.one["a"].sas()]
    assert local == [SHARED], local
    begin = time.monotonic()
    site.prioritize(b=200)
    site.wait(a="backup", b="active")
    wait_until(lambda: not site.one["a"].sas(), 5, "a without SAs")
    closed = time.monotonic() - begin
    wait_until(lambda: site.up("b"), 20, "the SA on b")
    wait_until(site.ping, 10, "a ping through the tunnel to b")
    return f"closed {closed:.2f} s after b was told to take over, the tunnel was back after {time.monotonic() - begin:.2f} s"


@case
def sas_are_left_to_the_peer_if_they_are_to_be_kept(wire, binaries):
    """`vrouter_loss = keep`: the SA of the former Active router is still there, and goes on when the role comes back."""
    site = Site(wire, binaries, "vrouter_loss = keep")
    site.initiate("host")
    wait_until(lambda: site.up("a"), 5, "the SA on a")
    before = site.up("a")
    site.prioritize(b=200)
    site.wait(a="backup", b="active")
    time.sleep(0.5)
    assert site.up("a") == before, site.one["a"].sas()
    site.prioritize(b=100)
    site.wait(a="active", b="backup")
    assert site.up("a") == before, site.one["a"].sas()
    wait_until(site.ping, 10, "a ping through the same SA")
    assert site.up("a") == before, site.one["a"].sas()


@case
def a_backup_neither_answers_nor_initiates(wire, binaries):
    """The connection takes any local address, so that only the role stands in the way."""
    site = Site(wire, binaries, "", local="%any")
    refused = site.initiate("b", check=False)
    assert refused.returncode != 0, "a Backup initiated"
    assert not site.one["b"].sas(), site.one["b"].sas()
    text = (site.one["host"].swanctl_dir / "swanctl.conf").read_text()
    (site.one["host"].swanctl_dir / "swanctl.conf").write_text(text.replace(f"remote_addrs = {SHARED}", "remote_addrs = 192.0.2.12"))
    site.ctl["host"].load_all()
    refused = site.initiate("host", check=False)
    assert refused.returncode != 0, "a Backup answered"
    assert not site.up("b"), site.one["b"].sas()
    # As soon as it is Active it does.
    site.prioritize(b=200)
    site.wait(a="backup", b="active")
    site.initiate("host")
    wait_until(lambda: site.up("b"), 5, "the SA on b")


@case
def an_ike_sa_and_a_child_that_are_tracked_have_their_say(wire, binaries):
    """A second router of a has a priority that depends on the tunnel."""
    site = Site(wire, binaries, "")
    with site.one["a"].vici() as client:
        reply = client.request("load-vrouter", {"side": {
            "interface": "e0", "vrid": "52", "addresses": ["192.0.2.2/24"], "advert_interval": "100ms",
            "track": {"tunnel": {"ike": "site", "weight": "-20"}, "inside": {"child": "net", "weight": "-10"}}}})
    assert reply["success"] == "yes", reply

    def side():
        with site.one["a"].vici() as client:
            events, _ = client.stream("list-vrouters", "list-vrouter")
        return next(event["side"] for event in events if "side" in event)

    wait_until(lambda: side()["effective-priority"] == "70", 5, "the priority without a tunnel")
    assert sorted(side()["failing"]) == ["inside", "tunnel"], side()
    site.initiate("host")
    wait_until(lambda: side()["effective-priority"] == "100", 5, "the priority with the tunnel")
    site.ctl["a"]("--terminate", "--ike", "site", timeout=20)
    wait_until(lambda: side()["effective-priority"] == "70", 5, "the priority after the tunnel")
