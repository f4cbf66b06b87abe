"""What a daemon may leave in the kernel: routes, rules, addresses, devices, IPsec state."""

import json
from itertools import repeat

# An SPI that is reserved and not used: a state without any algorithm, which the kernel forgets by itself.
RESERVED = "xfrm reserved SPI"
LISTED = ("ip -j -4 route show table all", "ip -j -6 route show table all", "ip -j -4 rule show", "ip -j -6 rule show",
          "ip -j address show")


def snapshot(node):
    """The state of a namespace as a set of lines that can be compared."""
    lines = set()
    # A kernel without XFRM answers with an error and has nothing to leave.
    done = node.run(["sh", "-c", f"{' && echo @ && '.join(LISTED)} && echo @ || exit 1; ip xfrm state; echo @; ip xfrm policy; exit 0"])
    routes4, routes6, rules4, rules6, links, states, policies = done.stdout.split("@\n")
    for routes, rules, family in ((routes4, rules4, "-4"), (routes6, rules6, "-6")):
        for route in _entries(routes):
            # The kernel makes the local and multicast ones out of the addresses.
            if route.get("table") != "local" and route.get("type") != "multicast":
                lines.add("route " + " ".join(str(route[key]) for key in ("dst", "gateway", "dev", "table", "prefsrc")
                                              if key in route))
        for rule in _entries(rules):
            lines.add(f"rule {family} {rule.get('priority')} table {rule.get('table')}")
    for link in _entries(links):
        lines.add(f"device {link['ifname']}")
        lines |= {f"address {a['local']}/{a['prefixlen']} on {link['ifname']}" for a in link["addr_info"]}
    for what, said in (("state", states), ("policy", policies)):
        lines |= {described for described in map(_described, _blocks(said), repeat(what)) if described}
    return lines


def difference(before, after, kind="charond"):
    """What came and was not there before, and what is missing, as text; empty if nothing. `kind` is who left it."""
    # strongSwan forgets now and then the ESP SPI that it had offered beside that of an AH child.
    came = {line for line in after - before if kind == "charond" or not line.startswith(RESERVED)}
    return "\n".join([f"left behind: {line}" for line in sorted(came)] + [f"gone: {line}" for line in sorted(before - after)])


def _blocks(text):
    """The entries of a list of `ip xfrm`, each a list of lines."""
    blocks = []
    for line in text.splitlines():
        if line.startswith("src "):
            blocks.append([])
        if blocks:
            blocks[-1].append(" ".join(line.split()))
    return blocks


def _described(block, what):
    """The entry in a line; none for an SPI of zero, the kernel's own note that a packet waits for an SA, which goes by itself."""
    if what == "policy":
        return f"xfrm policy {block[0]} {block[1]}"
    if "spi 0x00000000" in block[1]:
        return None
    has_keys = any(line.startswith(("aead ", "enc ", "auth")) for line in block)
    return f"{'xfrm state' if has_keys else RESERVED} {block[0]} {block[1]}"


def _entries(said):
    return [entry for entry in json.loads(said.strip() or "[]") if entry]
