"""A responder under load: many connections of one strongSwan, against charond or strongSwan in the other namespace."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import daemon as lab_daemon  # noqa: E402
from lab import vici  # noqa: E402
from lab.topology import ADDRESSES  # noqa: E402

GATEWAY = ADDRESSES["sun"]["outer4"]
CLIENT = ADDRESSES["moon"]["outer4"]
PSK = "a pre-shared key that everybody here shares"
# Nothing is to be retransmitted only because the machine is busy, and nobody is to be held off.
SETTINGS = {
    "retransmit_timeout": "30",
    "dos_protection": "no",
    "half_open_timeout": "300",
    "ikesa_table_size": "4096",
    "ikesa_table_segments": "16",
    "install_virtual_ip": "no",
    # No address of the initiators' subnets is there, without which strongSwan would take its CHILD_SAs down again.
    "install_routes": "no",
    "reuse_ikesa": "no",
}
STUCK_AFTER_S = 40
# Handshakes under way at once: more would overflow the responder's socket buffer, and be sent again.
WINDOW = 40


class Silent:
    """A daemon without a logger."""

    plugins = ""

    def _conf_text(self, settings):
        common = "".join(f"  {name} = {value}\n" for name, value in {**settings, **SETTINGS}.items())
        return (f"charon {{\n{self.plugins}{common}  plugins {{\n    vici {{\n      socket = unix://{self.socket}\n"
                "    }\n  }\n}\ncharon-systemd {\n  journal {\n    default = -1\n  }\n}\n")


class Charond(Silent, lab_daemon.Charond):
    """Ours, with chosen plugins."""

    def __init__(self, *arguments, kernel, **options):
        self.plugins = f"  load = crypto-aws-lc crypto-ring {kernel} ikev2 vici\n" if kernel else ""
        super().__init__(*arguments, **options)

    def program(self):
        return [*super().program(), "--debug", "-1"]


class StrongSwan(Silent, lab_daemon.StrongSwan):
    """Debian's, with the plugins of the lab."""

    plugins = f"  load = {lab_daemon.STRONGSWAN_PLUGINS}\n"


def cpu_s(process):
    """Processor seconds of all threads, to the nanosecond where the kernel says so."""
    total = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_kib(process):
    """Private memory that the process has written: file pages, shared or not by another instance, do not count."""
    total = 0
    for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            total += int(line.split()[1])
    return total


def established(daemon):
    """IKE_SAs that are complete."""
    with daemon.vici() as client:
        counts = client.request("stats")["ikesas"]
    return int(counts["total"]) - int(counts["half-open"])


def wait_for(daemon, count):
    """Until the daemon has that many IKE_SAs; returns how many it has if there is no progress."""
    have, progress = -1, time.monotonic()
    while time.monotonic() - progress < STUCK_AFTER_S:
        now = established(daemon)
        if now >= count:
            return now
        if now != have:
            have, progress = now, time.monotonic()
        time.sleep(0.01)
    return have


def request(client, command, message):
    """A request that must succeed."""
    answer = client.request(command, message)
    if answer.get("success") != "yes":
        raise RuntimeError(f"{command}: {answer}")


def auth(kind, name, certificate):
    """One side's authentication."""
    if kind == "psk":
        return {"auth": "psk", "id": name}
    section = {"auth": "pubkey", "id": name}
    return {**section, "certs": [certificate]} if certificate else section


def inner(number):
    """The client's inner address."""
    return f"10.{64 + number // 65536}.{number // 256 % 256}.{number % 256}"


def configure(daemon, kind, pki, conns):
    """Loads credentials and connections."""
    with daemon.vici() as client:
        if kind == "psk":
            request(client, "load-shared", {"type": "IKE", "data": PSK})
        else:
            request(client, "load-cert", {"type": "X509", "flag": "CA", "data": pki["ca"]})
            request(client, "load-key", {"type": "any", "data": pki[daemon.gateway + ".key"]})
        for name, conn in conns:
            request(client, "load-conn", {name: conn})


def responder_conn(kind, pki, proposal, child):
    """One connection for everybody."""
    conn = {
        "version": "2", "local_addrs": [GATEWAY], "remote_addrs": ["%any"], "proposals": [proposal],
        "unique": "never", "mobike": "no", "rekey_time": "0",
        "local": auth(kind, "sun" if kind == "psk" else "sun.lab", pki and pki["sun.crt"]),
        "remote": auth(kind, "%any", None),
    }
    if child:
        conn["children"] = {"net": {"local_ts": ["10.2.0.0/16"], "remote_ts": ["10.64.0.0/10"], "rekey_time": "0",
                                    "esp_proposals": ["aes256gcm16"]}}
    return [("all", conn)]


def initiator_conns(kind, pki, proposal, child, count):
    """A connection for each client."""
    for number in range(count):
        name = f"c{number}"
        conn = {
            "version": "2", "local_addrs": [CLIENT], "remote_addrs": [GATEWAY], "proposals": [proposal],
            "unique": "never", "mobike": "no", "rekey_time": "0",
            "local": auth(kind, name if kind == "psk" else "moon.lab", pki and pki["moon.crt"]),
            "remote": auth(kind, "sun" if kind == "psk" else "sun.lab", None),
        }
        if child:
            conn["children"] = {name: {"local_ts": [inner(number) + "/32"], "remote_ts": ["10.2.0.0/16"],
                                       "rekey_time": "0", "esp_proposals": ["aes256gcm16"]}}
        else:
            conn["childless"] = "force"
        yield name, conn


def initiate(daemon, begun, names, child):
    """Brings all of them up, some at a time; `begun` are up already. Only the initiator is asked how far it is."""
    with vici.Client(daemon.socket, timeout_s=120) as client:
        for at in range(0, len(names), WINDOW):
            window = names[at:at + WINDOW]
            for name in window:
                client.request("initiate", {"child" if child else "ike": name, "timeout": "-1", "init-limits": "no"})
            if wait_for(daemon, begun + at + len(window)) < begun + at + len(window):
                return
