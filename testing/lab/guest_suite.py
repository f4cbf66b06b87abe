#!/usr/bin/env python3
"""What runs inside the guest: a line for each case, and a closing line.

A case is a function of this module whose name begins with `case_`; its first line of documentation is its name. It raises
AssertionError, or anything else, if the kernel does not behave as expected.
"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import daemon, guest, leftovers, libreswan, swanctl, xfrm  # noqa: E402
from lab.binaries import Binaries  # noqa: E402
from lab.shell import run  # noqa: E402
from lab.topology import GATEWAYS, PING, VERDICT, Lab, wait_until  # noqa: E402

OUT = Path("/hostout")
SECRET = '"correct horse battery staple"'
PEERS = {"moon": ("192.0.2.1", "192.0.2.2"), "sun": ("192.0.2.2", "192.0.2.1")}

# Children by name: options beside the selectors; {local} and {remote} are 1 and 2 on moon.
CHILDREN = {
    "gcm": "local_ts = 10.{local}.15.0/24\nremote_ts = 10.{remote}.15.0/24\nesp_proposals = aes256gcm16",
    "cbc": "local_ts = 10.{local}.1.0/24\nremote_ts = 10.{remote}.1.0/24\nesp_proposals = aes128-sha256",
    "chacha": "local_ts = 10.{local}.2.0/24\nremote_ts = 10.{remote}.2.0/24\nesp_proposals = chacha20poly1305",
    "esn": "local_ts = 10.{local}.3.0/24\nremote_ts = 10.{remote}.3.0/24\nesp_proposals = aes128gcm16-esn",
    "window": "local_ts = 10.{local}.4.0/24\nremote_ts = 10.{remote}.4.0/24\nesp_proposals = aes128gcm16\nreplay_window = 128",
    "noreplay": "local_ts = 10.{local}.10.0/24\nremote_ts = 10.{remote}.10.0/24\nesp_proposals = aes128gcm16\nreplay_window = 0",
    "port": "local_ts = 10.{local}.5.0/24[tcp/80]\nremote_ts = 10.{remote}.5.0/24[tcp]\nesp_proposals = aes128gcm16",
    "limits": "local_ts = 10.{local}.6.0/24\nremote_ts = 10.{remote}.6.0/24\nesp_proposals = aes128gcm16\n"
              "rekey_bytes = 1000000\nlife_bytes = 2000000\nrand_bytes = 0\n"
              "rekey_packets = 5000\nlife_packets = 6000\nrand_packets = 0",
    "six": "local_ts = fd0{local}::/64\nremote_ts = fd0{remote}::/64\nesp_proposals = aes128gcm16",
    "marks": "local_ts = 10.{local}.7.0/24\nremote_ts = 10.{remote}.7.0/24\nesp_proposals = aes128gcm16\n"
             "mark_in = 42\nmark_out = 43/0xff\nset_mark_out = 7/0xf",
    "ifid": "local_ts = 10.{local}.8.0/24\nremote_ts = 10.{remote}.8.0/24\nesp_proposals = aes128gcm16\n"
            "if_id_in = 7\nif_id_out = 8",
    "bits": "local_ts = 10.{local}.9.0/24\nremote_ts = 10.{remote}.9.0/24\nesp_proposals = aes128gcm16\n"
            "copy_df = no\ncopy_ecn = no\ncopy_dscp = in",
    "host": "mode = transport\nesp_proposals = aes128gcm16",
    "null": "local_ts = 10.{local}.11.0/24\nremote_ts = 10.{remote}.11.0/24\nesp_proposals = null-sha1",
}
TRAP = "local_ts = 10.{local}.12.0/24\nremote_ts = 10.{remote}.12.0/24\nesp_proposals = aes128gcm16\nstart_action = trap"
PASS = "local_ts = 10.{local}.13.0/24\nremote_ts = 10.{local}.13.0/24[udp/53]\nmode = pass\nstart_action = trap"
DROP = "local_ts = 10.{local}.14.0/24\nremote_ts = 10.{remote}.14.0/24\nmode = drop\nstart_action = trap"


def conf(gateway, children, *, more="", settings="", name="gw", identity="", shunts=None, secrets=True,
         proposals="aes256gcm16-prfsha256-x25519"):
    """swanctl.conf of a gateway with these children, a secret for both identities."""
    ours, theirs = PEERS[gateway]
    other = next(one for one in GATEWAYS if one != gateway)
    text = f"""
connections {{
  {name} {{
    version = 2
    local_addrs = {ours}
    remote_addrs = {theirs}
    proposals = {proposals}
{settings}
    local {{
      auth = psk
      id = {identity}{gateway}.lab
    }}
    remote {{
      auth = psk
      id = {identity}{other}.lab
    }}
    children {{
{_children(gateway, children)}
    }}
  }}
"""
    if shunts:
        text += f"""
  shunts {{
    remote_addrs = 127.0.0.1
    local {{
      auth = psk
    }}
    remote {{
      auth = psk
    }}
    children {{
{_children(gateway, shunts)}
    }}
  }}
"""
    return text + more + "}\n" + (f"secrets {{\n  ike-all {{\n    secret = {SECRET}\n  }}\n}}\n" if secrets else "")


def _children(gateway, children):
    local, remote = (1, 2) if gateway == "moon" else (2, 1)
    return "\n".join(f"{name} {{\n{text.format(local=local, remote=remote)}\n}}" for name, text in children.items())


class Pair:
    """Two daemons on a lab of their own."""

    def __init__(self, binaries, kinds=("charond", "charond"), settings=None):
        self.lab = Lab()
        self.binaries = binaries
        self.daemons, self.swanctls, self.clean = {}, {}, {}
        for gateway, kind in zip(GATEWAYS, kinds):
            # Inner addresses of every child.
            node = self.lab.nodes[gateway]
            local = 1 if gateway == "moon" else 2
            for number in range(1, 16):
                node.ip("address", "add", f"10.{local}.{number}.1/32", "dev", "lo")
            one = daemon.make(kind, self.lab, gateway, binaries, settings=(settings or {}).get(gateway))
            self.daemons[gateway], self.swanctls[gateway] = one, swanctl.make(kind, one, binaries)
            self.clean[gateway] = leftovers.snapshot(node)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for gateway, one in self.daemons.items():
                print(f"    --- log of {one}, its end")
                print("\n".join("    " + line for line in one.log().splitlines()[-40:]))
        self.lab.close()

    def configure(self, gateway, text):
        """Starts the daemon there with this configuration."""
        self.daemons[gateway].start()
        (self.daemons[gateway].swanctl_dir / "swanctl.conf").write_text(text)
        self.swanctls[gateway].load_all()

    def both(self, children, **more):
        """Starts both with the same children."""
        for gateway in GATEWAYS:
            self.configure(gateway, conf(gateway, children, **more))

    def initiate(self, child, on="moon"):
        """--initiate succeeds."""
        done = self.swanctls[on]("--initiate", "--child", child, check=False, timeout=120)
        assert done.returncode == 0, f"--initiate of {child}:\n{done.stdout[-1500:]}{done.stderr}"

    def ping(self, number, count=5):
        """All pings to sun's address of that number are answered; the tunnel's route chooses the source."""
        got = self.pinged(f"10.2.{number}.1", count)
        assert got == count, f"{got} of {count} pings to 10.2.{number}.1 answered"

    def pinged(self, address, count=5, wait_s=2):
        """How many pings from moon are answered."""
        done = self.lab.nodes["moon"].run([sys.executable, PING, address, count, 0.1, wait_s], check=False, timeout=60)
        verdict = VERDICT.search(done.stdout)
        return int(verdict[1]) if verdict else 0

    def finish(self, gateways=GATEWAYS):
        """Both end by SIGTERM and leave nothing."""
        for gateway in gateways:
            self.daemons[gateway].stop()
        for gateway in gateways:
            self.is_clean(gateway)

    def is_clean(self, gateway):
        """Nothing is installed that was not before."""
        gone = leftovers.difference(self.clean[gateway], leftovers.snapshot(self.lab.nodes[gateway]))
        assert not gone, f"{gateway} is not clean:\n{gone}"


def installed(binaries, kind):
    """SAs and policies on moon, where both daemons are of that kind: {child: (states, policies)} by reqid."""
    with Pair(binaries, (kind, kind)) as pair:
        for gateway in GATEWAYS:
            pair.configure(gateway, conf(gateway, CHILDREN | ({"trap": TRAP} if gateway == "moon" else {"trap": TRAP.replace(
                "start_action = trap", "")}), shunts={"pass": PASS, "drop": DROP}))
        for child in CHILDREN:
            pair.initiate(child)
        node = pair.lab.nodes["moon"]
        found = xfrm.states(node), xfrm.policies(node), routes(node)
        (OUT / f"{kind}.state").write_text(node.run(["ip", "-s", "xfrm", "state"]).stdout)
        (OUT / f"{kind}.policy").write_text(node.run(["ip", "xfrm", "policy"]).stdout)
        pair.finish()
        return found


def routes(node):
    """The routes of table 220, sorted."""
    lines = node.run(["ip", "route", "show", "table", "220"], check=False).stdout.splitlines()
    return sorted(" ".join(line.split()) for line in lines)


def case_same_as_strongswan(binaries):
    """SAs, policies and routes are those that strongSwan installs for the same configuration"""
    ours, theirs = installed(binaries, "charond"), installed(binaries, "strongswan")
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


def case_contracts(binaries):
    """every backend keeps the contracts of KernelIpsec and KernelNet"""
    done = run([binaries.directory / "charon-kernel-suite"], check=False, timeout=300)
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("passed"))


def case_bench(binaries):
    """installing SAs in batches costs no more than one at a time, which is strongSwan's way; the rates"""
    done = run([binaries.directory / "charon-kernel-suite", "--bench", "2000", "kernel-netlink", "kernel-pfkey"], timeout=300)
    for line in done.stdout.splitlines():
        print("    " + line)
    rates = [float(line.split(": ")[1].split(" SAs/s")[0]) for line in done.stdout.splitlines() if "kernel-netlink" in line]
    assert rates[1] > 0.8 * rates[0], f"one at a time {rates[0]}, in batches {rates[1]}"


def case_traffic(binaries):
    """every algorithm and mode carries traffic, charond initiating to strongSwan, with the counters of both"""
    _traffic(binaries, ("charond", "strongswan"))


def case_traffic_back(binaries):
    """the same, strongSwan initiating"""
    _traffic(binaries, ("strongswan", "charond"))


def _traffic(binaries, kinds):
    chosen = {name: CHILDREN[name] for name in ("gcm", "cbc", "chacha", "esn", "window", "null", "bits")}
    numbers = {"gcm": 15, "cbc": 1, "chacha": 2, "esn": 3, "window": 4, "null": 11, "bits": 9}
    with Pair(binaries, kinds) as pair:
        pair.both(chosen | {"host": CHILDREN["host"]})
        for child, number in numbers.items():
            assert pair.pinged(f"10.2.{number}.1", 1, 0.3) == 0, f"pings pass before {child} is up"
            pair.initiate(child)
            pair.ping(number)
        pair.initiate("host")
        got = pair.pinged("192.0.2.2")
        assert got == 5, f"{got} of 5 pings in transport mode"
        for gateway in GATEWAYS:
            for _, sa in pair.daemons[gateway].sas():
                for child in sa["child-sas"].values():
                    assert int(child["packets-in"]) >= 5 and int(child["packets-out"]) >= 5, f"{gateway}: {child}"
        pair.finish()


def case_udp_encapsulation(binaries):
    """ESP in UDP, forced, passes both ways"""
    for kinds in (("charond", "strongswan"), ("strongswan", "charond")):
        with Pair(binaries, kinds) as pair:
            pair.both({"gcm": CHILDREN["gcm"]}, settings="    encap = yes")
            pair.initiate("gcm")
            pair.ping(15)
            shown = pair.lab.nodes["moon"].run(["ip", "xfrm", "state"]).stdout
            assert shown.count("encap type espinudp sport 4500 dport 4500") == 2, shown
            pair.finish()


def case_expiry_in_bytes(binaries):
    """the kernel's soft limit of octets rekeys a child"""
    children = {"gcm": CHILDREN["gcm"] + "\nrekey_bytes = 2000\nlife_bytes = 200000\nrand_bytes = 0"}
    with Pair(binaries, ("charond", "strongswan")) as pair:
        pair.both({"gcm": CHILDREN["gcm"]})
        pair.finish()
        pair.configure("sun", conf("sun", {"gcm": CHILDREN["gcm"]}))
        pair.configure("moon", conf("moon", children))
        pair.initiate("gcm")
        before = _spis(pair)
        pair.ping(15, 30)
        wait_until(lambda: _spis(pair) and not _spis(pair) & before, 5, "a rekeyed child")
        pair.ping(15, 3)
        pair.finish()


def _spis(pair):
    (_, sa), = pair.daemons["moon"].sas()
    return {child["spi-in"] for child in sa["child-sas"].values() if child["state"] == "INSTALLED"}


def case_trap(binaries):
    """the first packet that meets a trap starts the tunnel, and shunts pass and drop"""
    for kinds in (("charond", "strongswan"), ("charond", "charond")):
        with Pair(binaries, kinds) as pair:
            pair.configure("sun", conf("sun", {"trap": TRAP.replace("start_action = trap", "")}))
            pair.configure("moon", conf("moon", {"trap": TRAP}, shunts={"drop": DROP}))
            assert not pair.daemons["moon"].sas(), "there is an IKE_SA before any packet"
            wait_until(lambda: pair.pinged("10.2.12.1", 3) == 3, 5, "pings through the tunnel that they started")
            shown = pair.lab.nodes["moon"].run(["ip", "xfrm", "policy"]).stdout
            assert "action block" in shown, shown
            pair.finish()


def case_crash(binaries):
    """what a killed daemon left is removed by the next, what is others' stays, and SIGTERM leaves nothing"""
    with Pair(binaries) as pair:
        node = pair.lab.nodes["moon"]
        foreign = ["src", "198.51.100.1", "dst", "198.51.100.2"]
        node.run(["ip", "xfrm", "state", "add", *foreign, "proto", "esp", "spi", "0x4242", "reqid", "99", "mode", "tunnel",
                  "aead", "rfc4106(gcm(aes))", "0x" + "07" * 20, "128"])
        node.run(["ip", "xfrm", "policy", "add", "src", "10.77.0.0/16", "dst", "10.78.0.0/16", "dir", "out", "tmpl", *foreign,
                  "proto", "esp", "reqid", "99", "mode", "tunnel"])
        pair.clean["moon"] = leftovers.snapshot(node)
        pair.both({name: CHILDREN[name] for name in ("gcm", "cbc", "marks", "ifid")})
        for child in ("gcm", "cbc", "marks", "ifid"):
            pair.initiate(child)
        pair.daemons["moon"].kill()
        left = leftovers.difference(pair.clean["moon"], leftovers.snapshot(node))
        assert left.count("xfrm") >= 6 and "route" in left, f"SIGKILL left only:\n{left}"
        pair.daemons["moon"].start()
        text = xfrm.states(node), xfrm.policies(node)
        assert len(text[0]) == 1 and len(text[1]) == 1, f"after the start: {text}"
        assert "removed 8 SAs and 12 policies" in pair.daemons["moon"].log(), "the log does not say what was removed"
        pair.daemons["sun"].kill()
        pair.daemons["sun"].start()
        pair.finish()


def case_many(binaries):
    """hundreds of tunnels (CHARON_TUNNELS) up and down leave nothing"""
    count = int(os.environ.get("CHARON_TUNNELS", "250"))
    children = {f"n{n}": f"local_ts = 10.{{local}}.15.0/24\nremote_ts = 10.{{remote}}{n // 250 + 1}.{n % 250}.0/24\n"
                         "esp_proposals = aes128gcm16\nstart_action = start" for n in range(count)}
    passive = {name: text.replace("start_action = start", "").replace("{remote}", "{remote_}") for name, text in children.items()}
    passive = {name: "local_ts = " + text.split("remote_ts = ")[1].split("\n")[0].replace("{remote_}", "{local}")
               + "\nremote_ts = 10.{remote}.15.0/24\nesp_proposals = aes128gcm16" for name, text in passive.items()}
    with Pair(binaries) as pair:
        pair.configure("sun", conf("sun", passive))
        begin = time.monotonic()
        pair.configure("moon", conf("moon", children))

        def up():
            shown = pair.lab.nodes["moon"].run(["ip", "xfrm", "state", "count"]).stdout
            return int(shown.split("SAD count ")[1].split()[0]) >= 2 * count

        wait_until(up, 60, f"{2 * count} SAs")
        print(f"    {count} tunnels up after {time.monotonic() - begin:.1f} s, configuration included")
        begin = time.monotonic()
        pair.swanctls["moon"]("--terminate", "--ike", "gw", timeout=120)
        print(f"    down after {time.monotonic() - begin:.1f} s")
        pair.finish()


def case_pfkey(binaries):
    """PF_KEY against strongSwan's netlink: tunnel, transport, ESP in UDP, a trap, with algorithms that it can carry"""
    settings = {"load": "kernel-pfkey kernel-netlink vici"}
    children = {
        "cbc": "local_ts = 10.{local}.1.0/24\nremote_ts = 10.{remote}.1.0/24\nesp_proposals = aes256gcm16, aes128-sha1",
        "sha512": "local_ts = 10.{local}.2.0/24\nremote_ts = 10.{remote}.2.0/24\nesp_proposals = aes256-sha512",
        "host": "mode = transport\nesp_proposals = aes128-sha384",
        "trap": TRAP.replace("aes128gcm16", "aes128-sha1"),
    }
    there = {name: text.replace("start_action = trap", "") for name, text in children.items()}
    for encap in ("no", "yes"):
        with Pair(binaries, ("charond", "strongswan"), settings={"moon": settings}) as pair:
            pair.configure("sun", conf("sun", there, settings=f"    encap = {encap}"))
            if encap == "yes":
                children.pop("host", None)
            pair.configure("moon", conf("moon", children, settings=f"    encap = {encap}"))
            assert "kernel-pfkey" in pair.daemons["moon"].log(), "kernel-pfkey is not loaded"
            for child, number in (("cbc", 1), ("sha512", 2)):
                pair.initiate(child)
                pair.ping(number)
            if encap == "no":
                pair.initiate("host")
                assert pair.pinged("192.0.2.2") == 5, "transport mode"
            wait_until(lambda: pair.pinged("10.2.12.1", 3) == 3, 5, "pings through the tunnel that they started")
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


def case_scenario(binaries):
    """the rekeying scenario passes with the kernel's ESP"""
    done = run([sys.executable, Path(__file__).resolve().parents[1] / "scenarios" / "run", "--moon", "charond", "--sun", "strongswan",
                "--profile", binaries.directory.name, "--filter", "rekey-child"], check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def qemu_interface(binaries):
    """a route-based tunnel: any to any, through an XFRM interface"""
    child = {"any": "local_ts = 0.0.0.0/0\nremote_ts = 0.0.0.0/0\nesp_proposals = aes128gcm16\nif_id_in = 7\nif_id_out = 7"}
    for kinds in (("charond", "strongswan"), ("strongswan", "charond")):
        with Pair(binaries, kinds) as pair:
            for gateway, (local, remote) in zip(GATEWAYS, ((1, 2), (2, 1))):
                node = pair.lab.nodes[gateway]
                node.ip("link", "add", "xfrm0", "type", "xfrm", "dev", "outer", "if_id", "7")
                node.ip("link", "set", "xfrm0", "up")
                node.ip("route", "add", f"10.{remote}.15.0/24", "dev", "xfrm0", "src", f"10.{local}.15.1")
                pair.clean[gateway] = leftovers.snapshot(node)
            pair.both(child)
            pair.initiate("any")
            pair.ping(15)
            pair.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="debug")
    parser.add_argument("--qemu", action="store_true", help="only what user-mode Linux lacks")
    parser.add_argument("--only", default="", help="only cases whose function's name contains this")
    options = parser.parse_args()
    binaries = Binaries(options.profile)
    missing = binaries.missing({"charond", "strongswan"})
    if missing:
        sys.exit(f"not found: {', '.join(map(str, missing))}")
    prefix = "qemu_" if options.qemu else "case_"
    cases = [(name, case) for name, case in globals().items() if name.startswith(prefix) and options.only in name]
    failed = 0
    for name, case in cases:
        begin, title = time.monotonic(), case.__doc__.splitlines()[0]
        try:
            case(binaries)
            verdict = "passed"
        except Exception as error:
            verdict, failed = "FAILED", failed + 1
            print("    " + str(error).replace("\n", "\n    ") if isinstance(error, AssertionError)
                  else "    " + traceback.format_exc().replace("\n", "\n    "))
        print(f"{verdict:8}{title} ({name}, {time.monotonic() - begin:.0f} s)", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
