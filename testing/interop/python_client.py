#!/usr/bin/env python3
"""The unmodified Python client (PyPI vici) against two daemons: python_client.py MOON_SOCKET SUN_SOCKET

Each function below whose name begins with `check_` is one check, taken in order; a line tells how it ended.
"""

import socket
import sys
import threading
import time
import traceback

import vici
from vici.exception import CommandException, EventUnknownException, SessionException

MOON, SUN = "192.0.2.1", "192.0.2.2"


def session(path, timeout_s=30):
    """A session with the daemon at this socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout_s)
    sock.connect(path)
    return vici.Session(sock)


def connection(local, remote, local_id, remote_id, net, peer_net):
    """A connection as a client would write it."""
    return {"py": {
        "version": "2",
        "local_addrs": [local],
        "remote_addrs": [remote],
        "proposals": ["aes256gcm16-prfsha256-x25519"],
        "local-1": {"auth": "psk", "id": local_id},
        "remote-1": {"auth": "psk", "id": remote_id},
        "children": {"py-net": {
            "local_ts": [net],
            "remote_ts": [peer_net],
            "esp_proposals": ["aes256gcm16-x25519"],
        }},
    }}


class Listener(threading.Thread):
    """Collects events in a session of its own."""

    def __init__(self, path, *events):
        super().__init__(daemon=True)
        self.seen = []
        self._session = session(path)
        self._events = events
        self._ready = threading.Event()
        self._over = threading.Event()

    def __enter__(self):
        self.start()
        self._ready.wait(5)
        time.sleep(0.2)  # the generator registers after it was asked for the first event
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join(5)

    def run(self):
        self._ready.set()
        for name, message in self._session.listen(list(self._events), 0.2):
            if name is not None:
                self.seen.append((name.decode() if isinstance(name, bytes) else name, message))
            if self._over.is_set():
                break

    def wait_for(self, condition, within_s=5):
        """The first event (name, message) for which it holds."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            for name, message in list(self.seen):
                if condition(name, message):
                    return name, message
            time.sleep(0.05)
        raise AssertionError(f"not among the events: {[name for name, _ in self.seen]}")


# Commands that charond does not have so far: it must say so. One that works must leave this list, and the check that
# uses it goes on.
LATER = ()


class Later(Exception):
    """The check needs a command of LATER."""


def needs(one, command):
    """Ends the check here if `one` is a charond that does not have the command."""
    if one.version()["daemon"] == b"charond" and command in LATER:
        raises(SessionException, lambda: one.request(command), "Unexpected response type")
        raise Later


def raises(kind, what, part):
    """Asserts that `what` raises `kind` with `part` in its text."""
    try:
        what()
    except kind as error:
        assert part in str(error), f"{error!r} does not say {part!r}"
        return
    raise AssertionError(f"no {kind.__name__}")


def check_version_names_the_daemon(moon, sun, paths):
    """version has the five keys that strongSwan's has."""
    said = moon.version()
    for key in ("daemon", "version", "sysname", "release", "machine"):
        assert said.get(key), f"version without {key}: {said}"


def check_stats_are_complete(moon, sun, paths):
    """stats has the sections that clients read."""
    said = moon.stats()
    assert {"uptime", "workers", "queues", "scheduled", "ikesas", "plugins"} <= set(said), list(said)
    assert int(said["ikesas"]["total"]) == 0


def check_shared_secrets_are_loaded_listed_and_unloaded(moon, sun, paths):
    """load-shared, get-shared, unload-shared."""
    secret = {"id": "py-psk", "type": "IKE", "data": "a secret of the python client", "owners": ["py.moon", "py.sun"]}
    for one in (moon, sun):
        one.load_shared(secret)
        one.load_shared({"id": "gone-soon", "type": "EAP", "data": "x"})
        assert sorted(one.get_shared()["keys"]) == [b"gone-soon", b"py-psk"]
        one.unload_shared({"id": "gone-soon"})
        assert list(one.get_shared()["keys"]) == [b"py-psk"]


def check_a_bad_secret_raises(moon, sun, paths):
    """The error of load-shared arrives as an exception."""
    raises(CommandException, lambda: moon.load_shared({"type": "nonsense", "data": "x"}), "invalid shared key type")
    raises(CommandException, lambda: moon.load_shared({"type": "IKE"}), "shared key data missing")


def check_connections_are_loaded_and_listed(moon, sun, paths):
    """load-conn, get-conns, list-conns."""
    moon.load_conn(connection(MOON, SUN, "py.moon", "py.sun", "10.1.0.0/16", "10.2.0.0/16"))
    sun.load_conn(connection(SUN, MOON, "py.sun", "py.moon", "10.2.0.0/16", "10.1.0.0/16"))
    assert list(moon.get_conns()["conns"]) == [b"py"]
    (listed,) = list(moon.list_conns())
    py = listed["py"]
    assert list(py["local_addrs"]) == [MOON.encode()], py["local_addrs"]
    assert py["local-1"]["class"] == b"pre-shared key" and py["local-1"]["id"] == b"py.moon", py["local-1"]
    child = py["children"]["py-net"]
    assert list(child["remote-ts"]) == [b"10.2.0.0/16"] and child["mode"] == b"TUNNEL", child


def check_a_bad_connection_raises_and_changes_nothing(moon, sun, paths):
    """The error of load-conn names the option."""
    raises(CommandException, lambda: moon.load_conn({"bad": {"no_such_option": "1"}}), "no_such_option")
    raises(CommandException, lambda: moon.load_conn({"bad": {"proposals": ["no-such-algorithm"]}}), "proposals")
    assert list(moon.get_conns()["conns"]) == [b"py"]


def check_unknown_names_raise(moon, sun, paths):
    """Every failure is an exception with the daemon's reason."""
    raises(CommandException, lambda: list(moon.initiate({"child": "no-such-child"})), "'no-such-child' not found")
    raises(CommandException, lambda: list(moon.initiate({})), "missing configuration name")
    raises(CommandException, lambda: list(moon.terminate({"ike": "no-such-ike"})), "no matching SAs to terminate")
    raises(CommandException, lambda: moon.unload_conn({"name": "no-such-conn"}), "not found")
    raises(SessionException, lambda: moon.request("no-such-command"), "Unexpected response type")
    raises(EventUnknownException, lambda: next(moon.listen(["no-such-event"])), "no-such-event")
    moon.version()  # and the session goes on


def check_initiate_streams_its_log_and_raises_events(moon, sun, paths):
    """initiate yields control-log messages; both ends raise ike-updown and child-updown."""
    with Listener(paths[0], "ike-updown", "child-updown") as on_moon, Listener(paths[1], "ike-updown") as on_sun:
        lines = [line["msg"].decode() for line in moon.initiate({"child": "py-net", "timeout": 15000})]
        assert lines, "no control-log message"
        for listener in (on_moon, on_sun):
            _, event = listener.wait_for(lambda name, message: name == "ike-updown" and "py" in message)
            assert event["up"] == b"yes" and event["py"]["state"] == b"ESTABLISHED", event
        _, event = on_moon.wait_for(lambda name, message: name == "child-updown")
        (child,) = event["py"]["child-sas"].values()
        assert event["up"] == b"yes" and child["state"] == b"INSTALLED", event


def check_commands_to_come_are_refused(moon, sun, paths):
    """What charond does not have is unknown to it, not half there."""
    if moon.version()["daemon"] == b"charond":
        for command in LATER:
            try:
                raises(SessionException, lambda: moon.request(command), "Unexpected response type")
            except CommandException as error:
                raise AssertionError(f"{command} is there: {error}") from None


def check_sas_are_listed(moon, sun, paths):
    """list-sas on both ends shows the same SA."""
    ends = []
    for one in (moon, sun):
        (listed,) = list(one.list_sas())
        ends.append(listed["py"])
    assert ends[0]["state"] == ends[1]["state"] == b"ESTABLISHED"
    assert ends[0]["initiator-spi"] == ends[1]["initiator-spi"]
    assert ends[0]["initiator"] == b"yes" and "initiator" not in ends[1]
    children = [next(iter(end["child-sas"].values())) for end in ends]
    assert children[0]["spi-in"] == children[1]["spi-out"] and children[0]["state"] == b"INSTALLED", children
    assert list(moon.list_sas({"ike": "no-such-ike"})) == []


def check_counters_count(moon, sun, paths):
    """get-counters knows the exchange that took place."""
    needs(moon, "get-counters")
    (counters,) = (c for c in [moon.get_counters()["counters"]])
    assert int(counters[""]["ike-init-out-req"]) >= 1, counters


def check_rekeying_raises_its_event(moon, sun, paths):
    """rekey answers at once; child-rekey tells of the old and the new SA."""
    needs(moon, "rekey")
    with Listener(paths[0], "child-rekey") as events:
        raises(CommandException, lambda: moon.rekey({"ike": "no-such-ike"}), "no matching SAs to rekey")
        assert moon.rekey({"child": "py-net"})["matches"] == b"1"
        _, event = events.wait_for(lambda name, message: name == "child-rekey", 10)
        both = event["py"]["child-sas"]["py-net"]
        assert both["old"]["spi-in"] != both["new"]["spi-in"], both


def check_terminate_takes_it_down_on_both_ends(moon, sun, paths):
    """terminate streams its log; ike-updown without `up` on both ends; nothing is listed any more."""
    with Listener(paths[0], "ike-updown") as on_moon, Listener(paths[1], "ike-updown") as on_sun:
        assert [line["msg"] for line in moon.terminate({"ike": "py"})], "no control-log message"
        for listener in (on_moon, on_sun):
            _, event = listener.wait_for(lambda name, message: name == "ike-updown" and "py" in message)
            assert "up" not in event, event
    assert list(moon.list_sas()) == [] and list(sun.list_sas()) == []


def check_a_refused_peer_raises(moon, sun, paths):
    """initiate fails with an exception when the peer does not accept us."""
    sun.load_shared({"id": "py-psk", "type": "IKE", "data": "another", "owners": ["py.moon", "py.sun"]})
    raises(CommandException, lambda: list(moon.initiate({"child": "py-net"})),
           "establishing CHILD_SA 'py-net' failed")
    assert list(moon.list_sas()) == []


def check_initiate_respects_its_timeout(moon, sun, paths):
    """An unreachable peer raises after the timeout that was asked for."""
    moon.load_conn({"nobody": dict(connection("192.0.2.1", "192.0.2.77", "a", "b", "10.1.0.0/16", "10.9.0.0/16")["py"],
                                   children={"nobody-net": {"remote_ts": ["10.9.0.0/16"]}})})
    begin = time.monotonic()
    raises(CommandException, lambda: list(moon.initiate({"child": "nobody-net", "timeout": 700})),
           "not established after 700ms")
    assert 0.6 < time.monotonic() - begin < 5
    list(moon.terminate({"ike": "nobody", "force": "yes"}))
    moon.unload_conn({"name": "nobody"})


def check_pools_are_kept(moon, sun, paths):
    """load-pool, get-pools, unload-pool."""
    pool = {"py-pool": {"addrs": "10.77.0.0/24", "dns": ["192.0.2.53"]}}
    moon.load_pool(pool)
    kept = moon.get_pools()["py-pool"]
    assert kept["size"] == b"254" and kept["online"] == b"0", kept
    raises(CommandException, lambda: moon.unload_pool({"name": "no-such-pool"}), "not found")
    moon.unload_pool({"name": "py-pool"})
    assert not moon.get_pools()


def check_all_is_unloaded(moon, sun, paths):
    """unload-conn and clear-creds leave nothing."""
    for one in (moon, sun):
        one.unload_conn({"name": "py"})
        one.clear_creds()
        assert not list(one.get_conns()["conns"]) and not list(one.get_shared()["keys"])


def main(paths):
    """Runs all checks; returns the exit status."""
    moon, sun = (session(path) for path in paths)
    failed = 0
    for name, check in [(n, f) for n, f in globals().items() if n.startswith("check_")]:
        title = name.removeprefix("check_").replace("_", " ")
        try:
            check(moon, sun, paths)
            print(f"ok {title}", flush=True)
        except Later:
            print(f"ok {title}, which is to come: refused as unknown", flush=True)
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[1].lineno
            print(f"FAIL {title}: line {where}: {type(error).__name__}: {error}", flush=True)
            # A session that lost step would make all that follows fail as well.
            moon, sun = (session(path) for path in paths)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
