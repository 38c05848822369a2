"""Instructions of one exchange, counted by callgrind: within a percent the same, whatever else the machine does.

Pages' requests come one at a time over one connection, each exchanged at a stand-in on this machine. OpenSSL's own
instructions are left out, for they depend on the processor. More than the recorded bound and 5 % fails.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

import load
from processes import BenchError, run
from servers import Onetap, Upstream, fresh_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench" / "instructions"
BOUND = pathlib.Path(__file__).parent / "instructions.bound"
WARM_UP = 50
EXCHANGES = 200
TOLERANCE = 1.05
LEFT_OUT = ("libcrypto", "libssl")
# No extension that valgrind or an older machine lacks: OpenSSL and what calls it go the same way everywhere.
PLAIN_PROCESSOR = "OPENSSL_ia32cap"
PLAIN_PROCESSOR_BITS = "~0x2000000000000000:~0x20000000"
WRAPPER = """\
#!/bin/sh
export %s='%s' GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX512F
exec valgrind --quiet --tool=callgrind --instr-atstart=no --callgrind-out-file=%s %s "$@"
"""


def make_wrapper(folder: pathlib.Path, binary: str) -> pathlib.Path:
    """Debug information of clang 19 is more than Debian 12's valgrind can read: it gets a copy without."""
    copy = folder / "onetap"
    run(["objcopy", "--strip-debug", binary, str(copy)], 60)
    wrapper = folder / "under-callgrind"
    wrapper.write_text(WRAPPER % (PLAIN_PROCESSOR, PLAIN_PROCESSOR_BITS, folder / "callgrind.out", copy))
    wrapper.chmod(0o755)
    return wrapper


def switch(pid: int, state: str) -> None:
    subprocess.run(["callgrind_control", "--instr=" + state, str(pid)], check=True, timeout=30,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def exchange(line: "load.ssl.SSLSocket", request: bytes) -> None:
    line.sendall(request)
    answer = line.recv(8192)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BenchError("an exchange was answered %r" % answer[:200])


def instructions_by_object(dump: pathlib.Path) -> dict[str, int]:
    """Callgrind's format: costs of a function stand below it, those of its calls in the line after calls=."""
    names: dict[str, str] = {}
    costs: dict[str, int] = {}
    current, skips = "", False
    for line in dump.read_text().splitlines():
        named = re.match(r"(c?ob)=\((\d+)\)(?: (.*))?$", line)
        if named:
            if named[3]:
                names[named[2]] = named[3]
            if named[1] == "ob":
                current = names[named[2]]
        elif line.startswith("calls="):
            skips = True
        elif re.match(r"[+*\-\d]", line):
            if not skips:
                costs[current] = costs.get(current, 0) + int(line.split()[-1])
            skips = False
    return costs


def measure(binary: str) -> dict[str, int]:
    folder = fresh_folder(FOLDER)
    os.environ["ONETAP_BINARY"] = str(make_wrapper(folder, binary))
    upstream = Upstream(folder)
    try:
        server = Onetap(folder, upstream.ports[False])
        try:
            requests = load.write_requests(load.open_sessions(server.port, folder, 1), WARM_UP + EXCHANGES)
            text = pathlib.Path(requests.path()).read_bytes()
            each = [text[i * requests.length:(i + 1) * requests.length] for i in range(requests.count)]
            with load.connect(server.port, load.tls_context(folder)) as line:
                for request in each[:WARM_UP]:
                    exchange(line, request)
                switch(server.child.process.pid, "on")
                for request in each[WARM_UP:]:
                    exchange(line, request)
                switch(server.child.process.pid, "off")
        finally:
            server.stop()
    finally:
        upstream.child.stop()
    return instructions_by_object(folder / "callgrind.out")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("binary", nargs="?", default=str(ROOT / "build" / "release" / "onetap"))
    parser.add_argument("--record", action="store_true", help="what is measured is the bound from now on")
    arguments = parser.parse_args()
    costs = measure(str(pathlib.Path(arguments.binary).resolve()))
    counted = {name: cost for name, cost in costs.items() if not any(part in name for part in LEFT_OUT)}
    per_exchange = sum(counted.values()) // EXCHANGES
    for name, cost in sorted(counted.items(), key=lambda item: -item[1])[:8]:
        print("%9d  %s" % (cost // EXCHANGES, name.rsplit("/", 1)[-1]))
    if arguments.record:
        BOUND.write_text("%d\n" % per_exchange)
    bound = int(BOUND.read_text())
    print("remark: %d instructions an exchange, OpenSSL's left out; bound %d" % (per_exchange, bound))
    shutil.rmtree(FOLDER)
    if per_exchange > bound * TOLERANCE:
        print("more than the bound and 5 %: mend it, or record a new bound (--record) and say why", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit("bench: %s" % error)
