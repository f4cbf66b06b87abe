"""What a kernel has installed, in lines that can be compared: `ip -s xfrm state`, `ip xfrm policy` and `ip route` without what differs from
run to run."""

import re

# Keys, SPIs, counters and times; and our mark on SAs, which nothing reads but our own next start.
SUBSTITUTIONS = (
    (re.compile(r"spi 0x[0-9a-f]+(\([0-9]+\))?"), "spi SPI"),
    (re.compile(r"(aead|enc|auth-trunc|auth) (\S+) 0x[0-9a-f]*( \(\d+ bits\))?"), r"\1 \2 KEY"),
    (re.compile(r" seq 0x[0-9a-f]+"), ""),
    (re.compile(r" reqid (\d+)\(0x[0-9a-f]+\)"), r" reqid \1"),
    (re.compile(r"flag (.*?) ?\(0x[0-9a-f]+\)"), r"flag \1"),
)
DROPPED = re.compile(r"^(anti-replay context|anti-replay esn context|seq-hi|lifetime current|stats:|add .*use|replay-window \d+ replay "
                     r"|\d+\(bytes\), \d+\(packets\)|sel src 0\.0\.0\.0/0 dst 0\.0\.0\.0/0|[0-9a-f ]{8,}$|lastused|replay_window|last used)")
# Limits of time have a random part, unless the soft one is this.
SOFT_HARD_TIME = re.compile(r"^expire (add|use): soft (?!1000\()")


def states(node):
    """Each SA as one line, sorted."""
    return sorted(_blocks(node.run(["ip", "-s", "xfrm", "state"]).stdout))


def policies(node):
    """Each policy but those of sockets as one line, sorted."""
    return sorted(block for block in _blocks(node.run(["ip", "xfrm", "policy"]).stdout) if "socket " not in block)


def routes(node):
    """The routes of table 220 in both families, sorted."""
    lines = [line for family in ("-4", "-6")
             for line in node.run(["ip", family, "route", "show", "table", "220"], check=False).stdout.splitlines()]
    return sorted(" ".join(line.split()) for line in lines)


def _blocks(text):
    blocks = []
    for line in text.splitlines():
        if line.startswith("src "):
            blocks.append([])
        line = line.strip()
        if not blocks or DROPPED.match(line) or SOFT_HARD_TIME.match(line):
            continue
        for pattern, instead in SUBSTITUTIONS:
            line = pattern.sub(instead, line)
        blocks[-1].append(line)
    return [", ".join(part for part in block if part and not part.startswith("lifetime config")) for block in blocks]
