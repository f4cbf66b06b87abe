"""A lab of two gateways and two hosts in network namespaces.

    alice 10.1.0.10 -- moon 192.0.2.1 == wire == 192.0.2.2 sun -- bob 10.2.0.10
          fd01::10          2001:db8::1            2001:db8::2        fd02::10

`topology` builds it, `daemon` runs charond or strongSwan's charon on a gateway,
`swanctl` and `vici` ask them, `capture` and `wire` watch and disturb what goes
between, `scenario` plays a directory of testing/scenarios. Python's standard
library and the tools of Debian 12 are all it needs.
"""
