#!/usr/bin/env python3
"""What runs inside the guest: each line a verdict, and a closing line."""

import argparse
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="debug")
    parser.add_argument("--qemu", action="store_true")
    parser.parse_args()
    good = subprocess.run(["ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x1000",
                           "mode", "tunnel", "aead", "rfc4106(gcm(aes))", "0x" + "07" * 20, "128"]).returncode == 0
    print(f"{'passed' if good else 'FAILED'}  the kernel has ESP with AES-GCM")
    print(f"{int(good)} passed, {int(not good)} failed, 0 skipped")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
