#!/usr/bin/env python3
"""How many SAs strongSwan's own kernel-netlink adds and deletes in a second.

    strongswan_kernel.py COUNT

Its plugin is loaded into this process and its kernel_ipsec_t is called as charon calls it, one SA at a time, which is the only way that
it has. So no key exchange and no daemon stands in the figure. The layouts are those of 5.9.8; the kernel is asked whether the SAs are
really there.
"""

import ctypes
import subprocess
import sys
import tempfile
import time
from ctypes import POINTER, Structure, c_bool, c_char_p, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from pathlib import Path

LIBRARIES = Path("/usr/lib/ipsec")
PLUGIN = LIBRARIES / "plugins" / "libstrongswan-kernel-netlink.so"
SPI = 0x70000000
ESP, MODE_TUNNEL, AES_GCM_16, NO_INTEGRITY = 50, 2, 20, 1024
# Places in kernel_ipsec_t.
ADD_SA, DEL_SA = 3, 6


class Chunk(Structure):
    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]


class Mark(Structure):
    _fields_ = [("value", c_uint32), ("mask", c_uint32)]


class SaId(Structure):
    _fields_ = [("src", c_void_p), ("dst", c_void_p), ("spi", c_uint32), ("proto", c_uint8), ("mark", Mark), ("if_id", c_uint32)]


class Lifetime(Structure):
    _fields_ = [(f"{what}_{part}", c_uint64) for what in ("time", "bytes", "packets") for part in ("life", "rekey", "jitter")]


class AddSa(Structure):
    _fields_ = [("reqid", c_uint32), ("mode", c_int), ("src_ts", c_void_p), ("dst_ts", c_void_p), ("interface", c_char_p),
                ("lifetime", POINTER(Lifetime)), ("enc_alg", c_uint16), ("enc_key", Chunk), ("int_alg", c_uint16), ("int_key", Chunk),
                ("replay_window", c_uint32), ("tfc", c_uint32), ("ipcomp", c_uint16), ("cpi", c_uint16), ("encap", c_bool),
                ("hw_offload", c_int), ("mark", Mark), ("esn", c_bool), ("copy_df", c_bool), ("copy_ecn", c_bool),
                ("copy_dscp", c_int), ("initiator", c_bool), ("inbound", c_bool), ("update", c_bool)]


class DelSa(Structure):
    _fields_ = [("cpi", c_uint16)]


def start():
    """The libraries, and the plugin's kernel_ipsec_t."""
    library = ctypes.CDLL(str(LIBRARIES / "libstrongswan.so.0"), mode=ctypes.RTLD_GLOBAL)
    charon = ctypes.CDLL(str(LIBRARIES / "libcharon.so.0"), mode=ctypes.RTLD_GLOBAL)
    plugin = ctypes.CDLL(str(PLUGIN), mode=ctypes.RTLD_GLOBAL)
    initialise = library["library_init"]
    initialise.restype = charon.libcharon_init.restype = c_bool
    with tempfile.NamedTemporaryFile() as nothing:
        started = initialise(nothing.name.encode(), b"charon") and charon.libcharon_init()
    if not started:
        sys.exit("strongSwan's libraries do not start")
    for function in (library.host_create_from_string, library.linked_list_create, plugin.kernel_netlink_ipsec_create):
        function.restype = c_void_p
    kernel = plugin.kernel_netlink_ipsec_create()
    if not kernel:
        sys.exit("kernel-netlink does not start")
    return library, kernel


def main(count):
    library, kernel = start()
    methods = ctypes.cast(kernel, POINTER(c_void_p))
    add = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(SaId), POINTER(AddSa))(methods[ADD_SA])
    delete = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(SaId), POINTER(DelSa))(methods[DEL_SA])
    source, destination = (library.host_create_from_string(address, 4500) for address in (b"192.0.2.1", b"192.0.2.2"))
    key = ctypes.create_string_buffer(bytes(range(1, 21)), 20)
    selectors = library.linked_list_create()
    data = AddSa(reqid=1, mode=MODE_TUNNEL, src_ts=selectors, dst_ts=selectors, lifetime=ctypes.pointer(Lifetime()),
                 enc_alg=AES_GCM_16, enc_key=Chunk(ctypes.addressof(key), 20), int_alg=NO_INTEGRITY, replay_window=32, encap=True,
                 copy_df=True, copy_ecn=True, copy_dscp=1, initiator=True)
    ids = [SaId(src=source, dst=destination, spi=int.from_bytes((SPI + number).to_bytes(4, "big"), sys.byteorder), proto=ESP)
           for number in range(count)]
    before = installed()
    added = timed(count, lambda: all(add(kernel, one, data) == 0 for one in ids), "adding")
    got = installed() - before
    if got != count:
        sys.exit(f"{got} SAs are there instead of {count}")
    nothing = DelSa()
    deleted = timed(count, lambda: all(delete(kernel, one, nothing) == 0 for one in ids), "deleting")
    print(f"strongSwan's kernel-netlink: {added:.0f} SAs/s added, {deleted:.0f} SAs/s deleted, one at a time")


def timed(count, work, what):
    """How many in a second."""
    begin = time.monotonic()
    if not work():
        sys.exit(f"{what} an SA failed")
    return count / (time.monotonic() - begin)


def installed():
    """SAs in this namespace."""
    said = subprocess.run(["ip", "xfrm", "state", "count"], capture_output=True, text=True, check=True).stdout
    return int(said.split("SAD count ")[1].split()[0])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(int(sys.argv[1]))
