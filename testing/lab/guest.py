"""A guest: a kernel with IPsec whose root is this machine's, read only, under an overlay in memory.

Every program of the machine is there, and nothing that the guest writes leaves it but what goes to /hostout. `UserMode` is
Debian's user-mode Linux, `Qemu` Debian's kernel under emulation. The exit status of the command comes back in a file: that of
the emulator says nothing.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import libreswan
from .binaries import ROOT

UML = Path("/usr/bin/linux.uml")
UML_MODULES = Path("/usr/lib/uml/modules")
MODULES = ("af_key xfrm_user esp4 esp6 ah4 ah6 authenc cbc hmac sha512_generic sha256_generic gcm ccm ctr seqiv echainiv "
           "chacha20poly1305 cmac xcbc veth macvlan dummy tun 8021q sch_netem xfrm4_tunnel xfrm6_tunnel ip_vti")
# What the last guests left in /hostout, by what they did.
EVIDENCE = ROOT / "testing" / ".cache" / "guest"
KERNEL_CACHE = ROOT / "testing" / ".cache" / "kernel"
LIBRESWAN = KERNEL_CACHE / "libreswan"
# What of our environment the command needs.
KEPT = ("CARGO_TARGET_DIR", "CHAROND_PROFILE", "RUST_BACKTRACE", "RUST_LOG")


class GuestError(Exception):
    """The guest did not run its command to the end."""


class Guest:
    """What both kinds have in common."""

    modules = MODULES
    # Against the machine itself everything takes so much longer.
    slowness = 5

    def __init__(self, memory_mib, evidence):
        self.memory_mib = memory_mib
        self.evidence = EVIDENCE / evidence

    def run(self, command, seconds_max):
        """Runs the command inside, its output on ours, and returns its exit status."""
        with tempfile.TemporaryDirectory(prefix="charon-guest-") as scratch:
            work = Path(scratch)
            (work / "out").mkdir()
            (work / "stage2").write_text(self._stage2(work, command))
            (work / "stage2").chmod(0o755)
            argv = self.prepare(work)
            process = subprocess.Popen([str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
            tail = self._follow(process, seconds_max)
            status = work / "out" / "status"
            shutil.rmtree(self.evidence, ignore_errors=True)
            shutil.copytree(work / "out", self.evidence)
            if not status.exists():
                raise GuestError("the guest ended without a status; its last words:\n" + "\n".join(tail))
            return int(status.read_text())

    def prepare(self, work):
        """Writes what the start needs below `work`; returns the argument vector of the emulator."""
        raise NotImplementedError

    def _follow(self, process, seconds_max):
        killer = subprocess.Popen(["sh", "-c", f"sleep {seconds_max}; kill -KILL -{process.pid}"],
                                  start_new_session=True, stderr=subprocess.DEVNULL)
        tail = []
        try:
            for line in process.stdout:
                line = line.rstrip()
                # What the emulator says of itself.
                if not NOISE.match(line):
                    print(line, flush=True)
                tail = [*tail[-20:], line]
            process.wait()
        finally:
            for group in (killer.pid, process.pid):
                try:
                    os.killpg(group, 9)
                except ProcessLookupError:
                    pass
            killer.wait()
            process.wait()
        return tail

    def _stage2(self, work, command):
        kept = " ".join(f"{name}={shlex.quote(os.environ[name])}" for name in KEPT if name in os.environ)
        return STAGE2.format(work=work, modules=self.modules, kept=kept, slowness=self.slowness, root=shlex.quote(str(ROOT)),
                             command=shlex.join(command), module_directory=self.module_directory(),
                             hostout=self.hostout(work), off=self.off)


class UserMode(Guest):
    """User-mode Linux: up within 3 s, no XFRM interfaces, no nftables NAT."""

    modules = "ipv6 " + MODULES + " iptable_nat xt_MASQUERADE"
    off = "poweroff -f"

    def prepare(self, work):
        if not UML.exists():
            raise GuestError(f"{UML} is missing: apt-get install user-mode-linux")
        (work / "m" / "lib").mkdir(parents=True)
        (work / "m" / "lib" / "modules").symlink_to(UML_MODULES)
        (work / "stage1").write_text(STAGE1.format(work=work))
        (work / "stage1").chmod(0o755)
        return ["/usr/bin/linux.uml", f"mem={self.memory_mib}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
                f"init={work}/stage1", "con=null", "con0=null,fd:1", "ssl=null", "quiet", "panic=1"]

    def module_directory(self):
        return f"{UML_MODULES}/$(uname -r)"

    def hostout(self, work):
        return f"mount -t hostfs none /hostout -o {work}/out"


class Qemu(Guest):
    """Debian's kernel under qemu without KVM: has all, 10 times slower than user-mode Linux."""

    modules = (MODULES + " xfrm_interface nf_tables nft_masq nft_chain_nat nft_ct nft_counter")
    # Programs of the share are out of reach by now: the shell waits alone.
    off = "sync; echo o > /proc/sysrq-trigger; while :; do :; done"
    slowness = 25

    def prepare(self, work):
        emulator = shutil.which("qemu-system-x86_64")
        library, data = None, []
        if emulator is None:
            tree = KERNEL_CACHE / "qemu"
            _unpacked(tree, _packages_of("qemu-system-x86"))
            emulator = tree / "usr" / "bin" / "qemu-system-x86_64"
            library = tree / "usr" / "lib" / "x86_64-linux-gnu"
            data = ["-L", tree / "usr/share/qemu", "-L", tree / "usr/share/seabios"]
        kernel = self._kernel()
        version = _version(kernel)
        self._initrd(work, kernel, version)
        console = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=reliable no_timer_check"
        share = "security_model=none"
        return [*(["env", f"LD_LIBRARY_PATH={library}"] if library else []), emulator, *data,
                "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", self.memory_mib, "-nodefaults",
                "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio", "-device", "virtio-rng-pci",
                "-kernel", kernel / "boot" / f"vmlinuz-{version}", "-initrd", work / "initrd.gz", "-append", console,
                "-fsdev", f"local,id=r,path=/,{share},readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=r,mount_tag=root",
                "-fsdev", f"local,id=o,path={work}/out,{share}", "-device", "virtio-9p-pci,fsdev=o,mount_tag=out"]

    def module_directory(self):
        return f"{self._kernel()}/lib/modules/$(uname -r)"

    def hostout(self, work):
        return "mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 out /hostout"

    @staticmethod
    def _kernel():
        said = _apt(["apt-cache", "depends", "linux-image-amd64"])
        package = re.search(r"Depends: (linux-image-\S+)", said)
        if package is None:
            raise GuestError("apt-cache knows no linux-image-amd64")
        tree = KERNEL_CACHE / package[1]
        if not tree.exists():
            _unpacked(tree, [package[1]])
            _said(["depmod", "-b", tree, _version(tree)])
        return tree

    @staticmethod
    def _initrd(work, kernel, version):
        root = work / "initrd"
        for name in ("bin", "lib", "proc", "dev", "sys", "low", "ovl", "new"):
            (root / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin" / "busybox")
        loaded = []
        for module in ("virtio_pci", "9pnet_virtio", "9p", "overlay"):
            for line in _said(["modprobe", "-d", kernel, "-S", version, "--show-depends", module]).splitlines():
                words = line.split()
                if words[:1] == ["insmod"] and words[1] not in loaded:
                    loaded.append(words[1])
        for path in loaded:
            shutil.copy(path, root / "lib" / Path(path).name)
        inserts = "\n".join(f"$B insmod /lib/{Path(path).name}" for path in loaded)
        (root / "init").write_text(QEMU_INIT.format(inserts=inserts, work=work))
        (root / "init").chmod(0o755)
        _said(["sh", "-c", f"cd {root} && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > {work}/initrd.gz"])


def provide_libreswan():
    """Unpacks libreswan where the suite finds it."""
    KERNEL_CACHE.mkdir(parents=True, exist_ok=True)
    _unpacked(LIBRESWAN, libreswan.PACKAGES)


def update_table():
    """Replaces the table in docs/kernel.md by what the last guest compared."""
    page, rows = ROOT / "docs" / "kernel.md", (EVIDENCE / "suite" / "same-as-strongswan.md").read_text()
    before, _, rest = page.read_text().partition(TABLE_BEGIN)
    page.write_text(before + TABLE_BEGIN + "\n" + rows + rest[rest.index(TABLE_END):])


def _packages_of(name):
    said = _apt(["apt-get", "-s", "install", "--no-install-recommends", name])
    return re.findall(r"^Inst (\S+)", said, re.M)


def _unpacked(tree, packages):
    """Unpacks Debian packages below `tree`, whole or not at all."""
    if tree.exists():
        return
    part = tree.with_name(tree.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        _apt(["sh", "-ec", f"cd {scratch}; apt-get -o APT::Sandbox::User=root download -q {shlex.join(packages)}"])
        _said(["sh", "-ec", f"for p in {scratch}/*.deb; do dpkg -x $p {part}; done"])
    part.rename(tree)


def _version(kernel):
    return next((kernel / "lib" / "modules").iterdir()).name


def _apt(argv):
    """As `_said`; what apt does not know or find any more it may after an update."""
    try:
        return _said(argv)
    except GuestError:
        _said(["apt-get", "update", "-q"])
        return _said(argv)


def _said(argv):
    done = subprocess.run([str(part) for part in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise GuestError(f"{' '.join(map(str, argv))}: exit status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout


TABLE_BEGIN, TABLE_END = "<!-- made by testing/guest --table -->", "<!-- end -->"
NOISE = re.compile(r"^(Core dump limits|Checking |\s+soft - |\s+hard - |Adding \d+ bytes|arch_uml|Checking for|Checking that "
                   r"|Checking PROT|Powering off|.*mmapper_init|.*ubd device|\[ *[\d.]+\]|SELinux|reboot: |$)")

STAGE1 = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
modprobe -d {work}/m overlay
mount -t tmpfs -o size=80% tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r
mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r
cd /mnt/r && mkdir -p old && pivot_root . old && exec chroot . {work}/stage2
"""

QEMU_INIT = """#!/bin/busybox sh
B=/bin/busybox; $B mount -t proc p /proc; $B mount -t devtmpfs d /dev; $B mount -t sysfs s /sys
{inserts}
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro root /low
$B mount -t tmpfs -o size=80% t /ovl; $B mkdir /ovl/u /ovl/w
$B mount -t overlay o -o lowerdir=/low,upperdir=/ovl/u,workdir=/ovl/w /new
exec $B switch_root /new {work}/stage2
"""

# Bash: `<(...)` of scripts needs /dev/fd. The lab makes scratch directories in /tmp, which is a tmpfs here; ours below the machine's /tmp
# stays visible by a bind mount.
STAGE2 = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
ln -sf /proc/self/fd /dev/fd; mkdir -p /dev/pts /dev/shm /hostout
mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run
{hostout}
mkdir -p /lib/modules; ln -sfn {module_directory} /lib/modules/$(uname -r)
for module in {modules}; do modprobe -q $module; done
ip link set lo up
cd {root}
env {kept} CHARON_GUEST={slowness} {command} </dev/null
status=$?
echo $status > /hostout/status
sync
{off}
"""
