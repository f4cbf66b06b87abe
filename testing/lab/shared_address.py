"""Two gateways that share an address by VRRP, and a peer with a tunnel to that: what they are configured with, and what one asks."""

SHARED = "192.0.2.1"
# The peer notices quickly that nobody answers; how quickly is its own choice.
IMPATIENT = {"retransmit_tries": "2", "retransmit_timeout": "0.3", "retransmit_base": "1.2"}
# A packet may come from the tunnel whose answer goes elsewhere.
NO_PATH_FILTER = (("ipv4/conf/all/rp_filter", 0), ("ipv4/conf/default/rp_filter", 0))
# Of the peer's child: it wants the tunnel back.
PERSISTENT = "dpd_action = restart\n        close_action = start"
CONNECTION = """connections {{
  site {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    {more}
    local {{
      auth = psk
      id = {own_id}
    }}
    remote {{
      auth = psk
      id = {other_id}
    }}
    children {{
      net {{
        local_ts = {local_ts}/32
        remote_ts = {remote_ts}/32
        {child}
      }}
    }}
  }}
}}
secrets {{
  ike-1 {{
    secret = "correct horse battery"
  }}
}}
"""


def of_gateway(peer, inner, peer_inner, *, local=SHARED, more=""):
    """swanctl.conf of a gateway: the connection belongs to the virtual router gw."""
    return CONNECTION.format(local=local, remote=peer, own_id="gw.lab", other_id="peer.lab", local_ts=inner, remote_ts=peer_inner,
                             more=f"vrouter = gw\n    {more}", child="")


def of_peer(peer, peer_inner, inner, *, child=""):
    """swanctl.conf of the peer, which notices when nobody answers and tries for ever."""
    return CONNECTION.format(local=peer, remote=SHARED, own_id="peer.lab", other_id="gw.lab", local_ts=peer_inner, remote_ts=inner,
                             more="dpd_delay = 1s\n    keyingtries = 0", child=child)


def role(gateway):
    """What the virtual router gw is on a gateway; None if there is none."""
    with gateway.vici() as client:
        events, _ = client.stream("list-vrouters", "list-vrouter")
    return next((event["gw"]["state"] for event in events if "gw" in event), None)
