"""Disturbing what goes between the gateways: a cut, and loss.

The kernel of a test machine may lack netem, so packets are dropped by nftables
on the bridge in the middle. Neighbour discovery passes a lossy wire: only the
datagrams of IKE and of UDP-encapsulated ESP are thrown dice for.
"""

TABLE = "bridge disturb"


def cut(lab):
    """Nothing passes any more; both ends keep their carrier."""
    _replace(lab, "drop")


def lose(lab, percent):
    """Drops this many of a hundred IKE and ESP datagrams in each direction."""
    _replace(lab, f"udp dport {{ 500, 4500 }} numgen random mod 100 < {int(percent)} counter drop")


def mend(lab):
    """All passes again."""
    lab.nodes["wire"].run(["nft", "-f", "-"], stdin=f"table {TABLE}\ndelete table {TABLE}\n")


def _replace(lab, rule):
    lab.nodes["wire"].run(["nft", "-f", "-"], stdin=f"""
table {TABLE}
delete table {TABLE}
table {TABLE} {{
  chain forward {{
    type filter hook forward priority 0
    {rule}
  }}
}}
""")
