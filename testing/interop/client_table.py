"""Every command and event of VICI, by every client library, against charond: a table, and docs/clients.md.

Each library is told to do the same by its executor (clients/README.md); what comes back is asserted here, the same for all.
"""

import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

from lab import daemon as lab_daemon
from lab import vici_clients
from lab.swanctl import Swanctl
from lab.topology import Lab, wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
DONE, NOT_OFFERED = "yes", "–"
EVENTS = ("list-sa", "list-policy", "list-conn", "list-cert", "list-authority", "control-log", "ike-updown", "ike-rekey",
          "ike-update", "child-updown", "child-rekey", "alert", "log", "list-vrouter", "vrouter-state")
BROADCAST = ("ike-updown", "ike-rekey", "ike-update", "child-updown", "child-rekey", "alert", "log", "vrouter-state")
# How a command that waits for its engine is refused, and what it waits for. One that is done after all must leave this list.
WAITING = {
    "redirect": ("redirecting is not supported", "RFC 5685 is to come"),
}
# Refused by design, everywhere.
REFUSED = {"load-token": "loading private key from token failed"}
PSK = "a secret of all clients"
MOON, SUN, ELSEWHERE = "192.0.2.1", "192.0.2.2", "192.0.2.11"


def connection(local, remote, local_id, remote_id, nets):
    """A tunnel by pre-shared key."""
    return {
        "version": "2", "local_addrs": [local], "remote_addrs": [remote], "proposals": ["aes256gcm16-prfsha256-x25519"],
        "local": {"auth": "psk", "id": local_id}, "remote": {"auth": "psk", "id": remote_id},
        "children": {"net": {"local_ts": [nets[0]], "remote_ts": [nets[1]], "esp_proposals": ["aes256gcm16-x25519"]},
                     "trapped": {"local_ts": [nets[0]], "remote_ts": ["10.99.0.0/16"]}},
    }


def steps(pki):
    """(command, message, event that it streams, what must hold of reply and events), in an order that works."""
    gw = connection(MOON, SUN, "moon.lab", "sun.lab", ("10.1.0.0/16", "10.2.0.0/16"))
    # It may move.
    del gw["local_addrs"]
    stranger = connection(MOON, SUN, "stranger.lab", "sun.lab", ("10.1.0.0/16", "10.2.0.0/16"))
    authority = {"lab": {"cacert": pki["ca"], "crl_uris": ["http://crl.lab/ca.crl"]}}
    has = lambda *keys: lambda reply, _: all(key in reply for key in keys)  # noqa: E731
    lists = lambda key, *items: lambda reply, _: all(item in reply[key] for item in items)  # noqa: E731
    shows = lambda what: lambda _, events: any(what in json.dumps(event) for event in events)  # noqa: E731
    one_sa = lambda _, events: len(events) == 1 and events[0]["gw"]["state"] == "ESTABLISHED" and (  # noqa: E731
        "net" in [child["name"] for child in events[0]["gw"]["child-sas"].values()])
    anything = lambda *_: True  # noqa: E731
    return [
        ("version", {}, None, lambda reply, _: reply["daemon"] == "charond" and reply["vici"] == "6.0.6"),
        ("stats", {}, None, has("uptime", "workers", "queues", "scheduled", "ikesas", "plugins")),
        ("reload-settings", {}, None, anything),
        ("get-algorithms", {}, None, lambda reply, _: "AES_GCM_16" in reply["aead"] and "CURVE_25519" in reply["ke"]),
        ("load-cert", {"type": "X509", "flag": "CA", "data": pki["ca"]}, None, anything),
        ("load-key", {"type": "any", "data": pki["key"]}, None, anything),
        ("get-keys", {}, None, lambda reply, _: len(reply["keys"]) == 1 and len(reply["keys"][0]) == 40),
        ("load-shared", {"id": "psk", "type": "IKE", "data": PSK, "owners": ["moon.lab", "sun.lab", "stranger.lab"]}, None,
         anything),
        ("get-shared", {}, None, lists("keys", "psk")),
        ("load-token", {"handle": "0102"}, None, anything),
        ("list-certs", {"type": "X509", "flag": "CA"}, "list-cert", lambda _, events: len(events) == 1),
        ("flush-certs", {"type": "ANY"}, None, anything),
        ("load-authority", authority, None, anything),
        ("get-authorities", {}, None, lists("authorities", "lab")),
        ("list-authorities", {"name": "lab"}, "list-authority", shows("http://crl.lab/ca.crl")),
        ("unload-authority", {"name": "lab"}, None, anything),
        ("load-pool", {"pool": {"addrs": "10.77.0.0/24", "dns": ["192.0.2.53"]}}, None, anything),
        ("get-pools", {"leases": "no"}, None, lambda reply, _: not reply or reply["pool"]["size"] == "254"),
        ("unload-pool", {"name": "pool"}, None, anything),
        ("load-conn", {"gw": gw}, None, anything),
        ("load-conn", {"stranger": stranger}, None, anything),
        ("get-conns", {}, None, lists("conns", "gw", "stranger")),
        ("list-conns", {"ike": "gw"}, "list-conn", lambda _, events: events[0]["gw"]["version"] == "IKEv2"),
        ("install", {"child": "trapped", "ike": "gw"}, None, anything),
        ("list-policies", {"trap": "yes"}, "list-policy", shows("gw/trapped")),
        ("uninstall", {"child": "trapped", "ike": "gw"}, None, anything),
        ("initiate", {"child": "net", "ike": "gw", "timeout": "20000"}, "control-log", anything),
        ("list-sas", {"ike": "gw"}, "list-sa", one_sa),
        ("rekey", {"child": "net"}, None, anything),
        ("redirect", {"gateway": "192.0.2.9", "ike": "gw"}, None, anything),
        ("get-counters", {"name": "gw"}, None, lambda reply, _: int(reply["counters"]["gw"]["ike-auth-out-req"]) >= 1),
        ("reset-counters", {"name": "gw"}, None, anything),
        ("terminate", {"ike": "gw", "timeout": "20000"}, "control-log", anything),
        ("load-vrouter", {"out": {"interface": "inner", "vrid": "7", "addresses": ["10.1.0.77/16"]}}, None, anything),
        ("get-vrouters", {}, None, lists("vrouters", "out")),
        ("list-vrouters", {}, "list-vrouter", lambda _, events: events[0]["out"]["vrid"] == "7"),
        ("unload-vrouter", {"name": "out"}, None, anything),
        ("unload-conn", {"name": "gw"}, None, anything),
        ("unload-shared", {"id": "psk"}, None, anything),
        ("unload-key", None, None, anything),
        ("clear-creds", {}, None, anything),
    ]


class Executor:
    """A client library at work."""

    def __init__(self, argv, socket):
        self.argv, self.socket = [str(part) for part in argv], str(socket)
        self.process = subprocess.Popen([*self.argv, self.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __call__(self, command, message, stream):
        order = {"command": command, "message": message, "stream": stream}
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise AssertionError(f"the client ended: {self.process.stderr.read()[-600:]}")
        return json.loads(line)

    def close(self):
        self.process.kill()
        self.process.communicate()


class Listener(threading.Thread):
    """Collects the events that a client library delivers."""

    def __init__(self, argv, socket):
        super().__init__(daemon=True)
        self.seen = []
        self.process = subprocess.Popen([*map(str, argv), str(socket), "--listen", ",".join(BROADCAST)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.start()

    def run(self):
        for line in self.process.stdout:
            self.seen.append(json.loads(line))

    def has(self, event, within_s=5):
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if any(one["event"] == event for one in self.seen):
                return True
            time.sleep(0.05)
        return False

    def close(self):
        self.process.kill()
        self.process.wait()


def play(library, argv, moon, pki, report):
    """One library through everything; {command or event: cell}."""
    cells, listens = {}, library != "Perl"
    executor = Executor(argv, moon.socket)
    listener = Listener(argv, moon.socket) if listens else None
    # Registering takes the library a moment, and it does not say when it has.
    time.sleep(1.0)
    key = None
    for command, message, stream, holds in steps(pki):
        if message is None:
            message = {"id": key}
        try:
            said = executor(command, message, stream)
            cell = judge(command, said, holds)
            if command == "get-keys" and "reply" in said:
                key = said["reply"]["keys"][0]
            if stream and cell == DONE and (said["events"] or library != "Perl"):
                cells[stream] = DONE
        except AssertionError as error:
            cell = None
            report.add(f"{library}: {command}", f"{error}\n" + "\n".join(moon.log().splitlines()[-40:]))
        if cell is not None:
            if cells.get(command, DONE) == DONE:
                cells[command] = cell
            report.add(f"{library}: {command}: {cell}")
        if command == "initiate" and listener:
            # Whom the peer does not know.
            executor("initiate", {"child": "net", "ike": "stranger", "timeout": "10000"}, "control-log")
            executor("rekey", {"ike": "gw"}, None)
            wait_until(lambda: [sa["state"] for _, sa in moon.sas()] == ["ESTABLISHED"], 10, "the IKE_SA being rekeyed")
            for address, other in ((ELSEWHERE, MOON), (MOON, ELSEWHERE)):
                moon.node.ip("address", "add", f"{address}/24", "dev", "outer")
                moon.node.ip("address", "del", f"{other}/24", "dev", "outer")
                wait_until(lambda at=address: [sa["local-host"] for _, sa in moon.sas()] == [at], 15, "the IKE_SA to move")
    for event in EVENTS:
        if event in cells:
            continue
        if listener is None or event not in BROADCAST:
            cells[event] = NOT_OFFERED
        elif listener.has(event):
            cells[event] = DONE
        else:
            report.add(f"{library}: event {event}", "it did not come")
    executor.close()
    if listener:
        listener.close()
    return cells


def judge(command, said, holds):
    """The cell of a command; AssertionError if it did not do what it should."""
    if "absent" in said:
        return NOT_OFFERED
    if command in REFUSED:
        assert REFUSED[command] in str(said.get("refused")), said
        return "refused: no token module"
    if command in WAITING:
        reason, what = WAITING[command]
        assert reason in str(said.get("refused")), f"not refused any more, take it off the list: {said}"
        return f"to come: {what}"
    assert "refused" not in said, said["refused"]
    try:
        assert holds(said["reply"], said["events"]), said
    except (KeyError, IndexError, TypeError) as error:
        raise AssertionError(f"{error!r} in {said}") from None
    return DONE


# strongSwan's swanctl: (command line, part of what it prints), and the commands and events that it uses for that.
SWANCTL = (
    (("--version", "--daemon"), "charond", ("version",)),
    (("--stats",), "uptime", ("stats",)),
    (("--reload-settings",), "", ("reload-settings",)),
    (("--list-algs",), "AES_GCM_16", ("get-algorithms",)),
    (("--load-creds", "--noprompt"), "loaded", ("load-cert", "load-key", "load-shared", "get-keys", "get-shared")),
    (("--load-authorities",), "loaded authority 'lab'", ("load-authority", "get-authorities")),
    (("--list-authorities",), "http://crl.lab/ca.crl", ("list-authorities", "list-authority")),
    (("--load-pools",), "loaded pool 'pool'", ("load-pool",)),
    (("--list-pools",), "pool", ("get-pools",)),
    (("--load-conns",), "successfully loaded 1 connections", ("load-conn", "get-conns")),
    (("--list-conns",), "10.2.0.0/16", ("list-conns", "list-conn")),
    (("--list-certs",), "ca", ("list-certs", "list-cert")),
    (("--install", "--child", "trapped"), "", ("install",)),
    (("--list-pols",), "trapped", ("list-policies", "list-policy")),
    (("--uninstall", "--child", "trapped"), "", ("uninstall",)),
    (("--initiate", "--child", "net"), "initiate completed successfully", ("initiate", "control-log")),
    (("--list-sas",), "ESTABLISHED", ("list-sas", "list-sa")),
    (("--rekey", "--child", "net"), "", ("rekey",)),
    (("--rekey", "--ike", "gw"), "", ("rekey",)),
    (("--counters",), "ike-auth-out-req", ("get-counters",)),
    (("--counters", "--reset"), "", ("reset-counters",)),
    (("--flush-certs",), "", ("flush-certs",)),
    (("--terminate", "--ike", "gw"), "terminate completed successfully", ("terminate",)),
)
# The events that an option of it shows.
MONITORED = {"ike-updown": ("ike-updown", "child-updown"), "log": ("log",)}
SWANCTL_CONF = """
connections {
    gw {
        version = 2
        local_addrs = 192.0.2.1
        remote_addrs = 192.0.2.2
        proposals = aes256gcm16-prfsha256-x25519
        local { auth = psk
            id = moon.lab
        }
        remote { auth = psk
            id = sun.lab
        }
        children {
            net { local_ts = 10.1.0.0/16
                remote_ts = 10.2.0.0/16
                esp_proposals = aes256gcm16-x25519
            }
            trapped { local_ts = 10.1.0.0/16
                remote_ts = 10.99.0.0/16
            }
        }
    }
}
secrets { ike-psk { secret = "a secret of all clients"
        id-1 = moon.lab
        id-2 = sun.lab
    }
}
authorities { lab { cacert = ca.crt
        crl_uris = http://crl.lab/ca.crl
    }
}
pools { pool { addrs = 10.77.0.0/24
    }
}
"""


def play_swanctl(moon, program, certificates, report):
    """strongSwan's command line through everything it has."""
    cells = {}
    certificates.install("ecdsa256", "moon", moon.swanctl_dir)
    conf = moon.swanctl_dir / "swanctl.conf"
    conf.write_text(SWANCTL_CONF)
    swanctl = Swanctl(program, moon)
    monitor = {}
    for event, option in (("ike-updown", "--monitor-sa"), ("log", "--log")):
        monitor[event] = subprocess.Popen([str(program), option, "--raw", "--uri", f"unix://{moon.socket}"], stdout=subprocess.PIPE,
                                          stderr=subprocess.DEVNULL, text=True)
    time.sleep(0.5)
    for words, part, used in SWANCTL:
        done = swanctl(*words, check=False)
        said = done.stdout + done.stderr
        good = done.returncode == 0 and part in said
        report.add(f"swanctl of strongSwan: {' '.join(words)}", None if good else f"status {done.returncode}\n{said}")
        if good:
            cells.update({name: DONE for name in used})
    done = swanctl("--redirect", "--gateway", "192.0.2.9", "--ike", "nothing", check=False)
    good = "no matching SAs to redirect found" in done.stdout + done.stderr
    report.add("swanctl of strongSwan: --redirect", None if good else done.stdout + done.stderr)
    cells["redirect"] = f"to come: {WAITING['redirect'][1]}"
    # What is gone from its files is unloaded; what was never loaded by name cannot be.
    conf.write_text("")
    (moon.swanctl_dir / "private" / "moon.key").unlink()
    done = swanctl("--load-all", "--noprompt", check=False)
    with moon.vici() as client:
        left = {command: client.request(command) for command in ("get-conns", "get-keys", "get-shared", "get-authorities")}
    gone = not any(value for reply in left.values() for value in reply.values())
    report.add("swanctl of strongSwan: --load-all unloads what is gone", None if gone else f"{left}\n{done.stdout}{done.stderr}")
    if gone:
        names = ("unload-conn", "unload-key", "unload-shared", "unload-authority", "unload-pool")
        cells.update({name: DONE for name in names})
    for event, process in monitor.items():
        process.terminate()
        said = process.communicate(timeout=5)[0]
        good = all(f"{name} {{" in said.replace(" event {", " {") for name in MONITORED[event])
        report.add(f"swanctl of strongSwan: {event}", None if good else f"it showed\n{said}")
        if good:
            cells.update({name: DONE for name in MONITORED[event]})
    return cells


def raw_bytes(moon, report):
    """socat sends a frame; what comes back is the daemon's."""
    request = b"\x00\x00\x00\x09\x00\x07version" + b"\x00\x00\x00\x05\x00\x03foo" + b"\x00\x00\x00\x00"
    done = subprocess.run(["socat", "-t", "3", "-", f"UNIX-CONNECT:{moon.socket}"], input=request, capture_output=True, timeout=20)
    good = b"\x06daemon\x00\x07charond" in done.stdout and done.stdout.endswith(b"\x00\x00\x00\x01\x02")
    report.add("socat: raw frames are answered, an empty one is not", None if good else f"{done.stdout!r} {done.stderr!r}")


def handed_over(binaries, report):
    """A daemon that is given its socket by whoever starts it, as systemd does."""
    with Lab() as lab, socket.socket(socket.AF_UNIX) as listening:
        moon = lab_daemon.make("charond", lab, "moon", binaries)
        listening.bind(str(moon.socket))
        listening.listen()
        number = listening.fileno()
        inside = ["sh", "-c", 'exec 3<&"$0"; LISTEN_PID=$$ exec "$@"', number, binaries.charond, "--config", moon.conf,
                  "--socket", "systemd://vici"]
        moon.process = subprocess.Popen(
            moon.node.enter([str(part) for part in inside]), pass_fds=(number,), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "vici"})
        try:
            wait_until(lambda: "daemon" in moon.vici().request("version"), 10, "an answer on the socket handed over")
            report.add("a socket handed over by systemd is served")
        except AssertionError as error:
            report.add("a socket handed over by systemd is served", str(error))
        moon.close()


def prepare_sun(sun):
    """The peer of all."""
    with sun.vici() as client:
        secret = {"type": "IKE", "data": PSK, "owners": ["moon.lab", "sun.lab"]}
        conn = connection(SUN, MOON, "sun.lab", "moon.lab", ("10.2.0.0/16", "10.1.0.0/16"))
        del conn["children"]["trapped"]
        for command, message in (("load-shared", secret), ("load-conn", {"gw": conn})):
            assert client.request(command, message)["success"] == "yes"


def run_all(report, binaries, certificates, strongswan_swanctl, only=None):
    """All libraries in turn, each with a fresh daemon; {library: {name: cell}}."""
    table = {}
    if not only:
        handed_over(binaries, report)
    players = vici_clients.executors() + [("swanctl 5.9.8", None)]
    for library, argv in players:
        if only and only not in library:
            continue
        with Lab() as lab:
            moon, sun = (lab_daemon.make("charond", lab, gateway, binaries) for gateway in ("moon", "sun"))
            moon.start()
            sun.start()
            prepare_sun(sun)
            # There is one path, so that it is known where they meet.
            sun.node.ip("address", "del", "2001:db8::2/64", "dev", "outer")
            moon.node.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/outer/promote_secondaries"])
            if argv is None:
                table[library] = play_swanctl(moon, strongswan_swanctl, certificates, report)
                raw_bytes(moon, report)
            else:
                folder = lab.directory / "pki"
                certificates.install("ecdsa256", "moon", folder)
                pki = {"ca": (folder / "x509ca" / "ca.crt").read_text(), "key": (folder / "private" / "moon.key").read_text()}
                table[library] = play(library, argv, moon, pki, report)
            moon.stop()
            sun.stop()
    return table


def page(table):
    """docs/clients.md."""
    commands = sorted({command for command, *_ in steps({"ca": "", "key": ""})})
    lines = ["# Clients", "",
             "Every command and event of VICI, and the clients that a run of `testing/interop/run --part clients` has seen use it",
             "against charond. That run fails if this page is not what it finds; `--write-clients` writes it.", "",
             "`yes`: done, and the answer looked at. `–`: the client does not offer it (strongSwan's Perl module has no way to wait",
             "for events, for example). `to come`: the daemon refuses it, for the reason given. Commands of virtual routers are",
             "charond's own: libraries of others are given their names.", ""]
    for title, names in (("Command", commands), ("Event", EVENTS)):
        lines += [f"| {title} | " + " | ".join(table) + " |", "|---|" + "---|" * len(table)]
        lines += [f"| `{name}` | " + " | ".join(cells.get(name, NOT_OFFERED) for cells in table.values()) + " |" for name in names]
        lines.append("")
    return "\n".join(lines)


def check_page(report, table, write):
    """Compares the page with the table, or writes it."""
    found = page(table)
    if write:
        PAGE.write_text(found)
    current = PAGE.read_text() if PAGE.exists() else ""
    differing = [line for line in found.splitlines() if line not in current.splitlines()]
    report.add("docs/clients.md is current", None if found == current else "run with --write-clients:\n" + "\n".join(differing))
    print(found)
