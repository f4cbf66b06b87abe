"""What a daemon may leave in the kernel: routes, rules, addresses, devices, IPsec state."""

import json


def snapshot(node):
    """The state of a namespace as a set of lines that can be compared."""
    lines = set()
    for family in ("-4", "-6"):
        for route in _json(node, family, "route", "show", "table", "all"):
            # The kernel makes the local and multicast ones out of the addresses.
            if route.get("table") != "local" and route.get("type") != "multicast":
                lines.add("route " + " ".join(str(route[key]) for key in ("dst", "gateway", "dev", "table", "prefsrc")
                                              if key in route))
        for rule in _json(node, family, "rule", "show"):
            lines.add(f"rule {family} {rule.get('priority')} table {rule.get('table')}")
    for link in _json(node, "address", "show"):
        lines.add(f"device {link['ifname']}")
        lines |= {f"address {a['local']}/{a['prefixlen']} on {link['ifname']}" for a in link["addr_info"]}
    for what in ("state", "policy"):
        # A kernel without XFRM answers with an error and has nothing to leave.
        done = node.run(["ip", "xfrm", what], check=False)
        lines |= {f"xfrm {what} {line.strip()}" for line in done.stdout.splitlines() if line.startswith("src")}
    return lines


def difference(before, after):
    """What came and was not there before, and what is missing, as text; empty if nothing."""
    return "\n".join([f"left behind: {line}" for line in sorted(after - before)]
                     + [f"gone: {line}" for line in sorted(before - after)])


def _json(node, *words):
    said = node.run(["ip", "-j", *words]).stdout
    return [entry for entry in json.loads(said or "[]") if entry]
