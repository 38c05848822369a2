"""What an exchange costs, beside nginx that merely passes the same request on and beside the usual stack on Node.js.

The server under test has processor 0 for itself; wrk and WeChat's stand-in share processor 1. Rounds go through all
servers in turn, so that whatever else the machine does hits all of them, and ratios are taken within a round.
See docs/performance.md; scripts/bench starts this.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import bad_days
import load
import long_ledger
import report
from processes import LOAD_CPU, PATIENCE_S, SERVER_CPU, BenchError, Quiet, busy_s, run
from servers import KINDS, Onetap, Server, Upstream, UPSTREAM_DELAY_S, fresh_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench"
SESSIONS = 1000
RATE_MAX = {"onetap": 32_000, "seed": 4_000, "seed-group": 6_000}  # requests/s that nothing here reaches
REPEATED_REQUESTS = 20_000  # for nginx, which does not mind
IDLE_CONNECTIONS = 2000
HANDSHAKE_S = 1.0
DISK_S = 0.5


def requests_for(kind: type[Server], server: Server, folder: pathlib.Path, connections: int, slow: bool,
                 seconds: int) -> load.RequestFile:
    rate = RATE_MAX.get(kind.name, 0)
    if slow:
        rate = min(rate, int(connections / UPSTREAM_DELAY_S * 1.1))
    count = rate * seconds or REPEATED_REQUESTS
    sessions = (load.open_sessions(server.port, folder, SESSIONS) if kind.checks_signatures
                else load.invented_sessions(SESSIONS))
    return load.write_requests(sessions, count)


@contextlib.contextmanager
def running(kind: type[Server], slow: bool = False) -> Iterator[tuple[Server, pathlib.Path]]:
    """A fresh server before a fresh stand-in, and their folder."""
    folder = fresh_folder(FOLDER / "run")
    with contextlib.ExitStack() as kept:
        upstream = Upstream(folder)
        kept.callback(upstream.child.stop)
        server = kind(folder, upstream.ports[slow])
        kept.callback(server.stop)
        yield server, folder


def measure(kind: type[Server], connections: int, slow: bool, plan: argparse.Namespace, quiet: Quiet) -> dict[str, Any]:
    """One server, fresh, for some seconds."""
    seconds = plan.warm_s + plan.seconds
    with running(kind, slow) as (server, folder):
        requests = requests_for(kind, server, folder, connections, slow, seconds)
        with contextlib.closing(requests):
            warm_count = requests.count * plan.warm_s // seconds
            measured = measure_running(server, requests, warm_count, connections, plan, quiet)
    return {"server": kind.name, "connections": connections, "slow": slow, **measured}


def measure_running(server: Server, requests: load.RequestFile, warm_count: int, connections: int,
                    plan: argparse.Namespace, quiet: Quiet) -> dict[str, Any]:
    quiet.wait()
    load.send(requests, 0, warm_count, server.port, connections, plan.warm_s)
    figures = server.figures() if isinstance(server, Onetap) else {}
    cpu_s, cpu_busy_s = server.child.cpu_s(), busy_s(SERVER_CPU)
    began = time.monotonic()
    seen = load.send(requests, warm_count, requests.count - warm_count, server.port, connections, plan.seconds)
    lasted_s = time.monotonic() - began
    cpu_s, cpu_busy_s = server.child.cpu_s() - cpu_s, busy_s(SERVER_CPU) - cpu_busy_s
    server.child.check()
    if server.name in RATE_MAX and seen["requests"] >= requests.count - warm_count:
        raise BenchError("the requests ran out: RATE_MAX is too small")
    measured = judged(seen, cpu_s, cpu_busy_s, lasted_s)
    measured["peak_rss_kib"] = server.child.memory_kib("VmHWM")
    if isinstance(server, Onetap):
        measured["ledger"] = ledger_figures(figures, server.figures(), measured)
    return measured


def judged(seen: dict[str, float], cpu_s: float, cpu_busy_s: float, lasted_s: float) -> dict[str, Any]:
    good = seen["requests"] - seen["refused"]
    if good <= 0:
        raise BenchError("not one request was answered: %s" % seen)
    return {"requests": int(seen["requests"]), "errors": int(seen["refused"] + seen["broken"]),
            "cpu_us": cpu_s / good * 1e6, "rate": good / (seen["duration_us"] / 1e6),
            "p50_ms": seen["p50_us"] / 1e3, "p99_ms": seen["p99_us"] / 1e3, "p999_ms": seen["p999_us"] / 1e3,
            "server_share": cpu_s / lasted_s, "others_share": max(0.0, cpu_busy_s - cpu_s) / lasted_s}


def ledger_figures(before: dict[str, float], after: dict[str, float], measured: dict[str, Any]) -> dict[str, float]:
    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    commits = grown("onetap_ledger_transactions_total")
    rows = grown("onetap_ledger_commands_total")
    commit_s = grown("onetap_ledger_commit_duration_seconds_sum")
    lines = grown("onetap_wechat_connections_opened_total")
    good = measured["requests"] - measured["errors"]
    return {"commits_per_s": commits * measured["rate"] / max(good, 1), "rows_per_commit": rows / max(commits, 1),
            "commit_ms": commit_s / max(commits, 1) * 1e3, "upstream_connections": lines}


def disk_rate() -> float:
    """fdatasyncs a second, of 4 KiB over blocks that are written already."""
    path = FOLDER / "disk"
    block, blocks = os.urandom(4096), 256
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, block * blocks, 0)
        os.fsync(descriptor)
        count, began = 0, time.monotonic()
        while time.monotonic() < began + DISK_S:
            os.pwrite(descriptor, block, 4096 * (count % blocks))
            os.fdatasync(descriptor)
            count += 1
        return count / (time.monotonic() - began)
    finally:
        os.close(descriptor)
        path.unlink()


def measure_handshakes(kind: type[Server], seconds: float) -> dict[str, float]:
    """CPU of the server for a connection: accepted, greeted, one small request, closed."""
    result = {}
    with running(kind) as (server, folder):
        load.handshakes(server.port, folder, 0.2, True)
        for name, resumes in (("full_us", False), ("resumed_us", True)):
            before = server.child.cpu_s()
            count = load.handshakes(server.port, folder, seconds, resumes)
            result[name] = (server.child.cpu_s() - before) / count * 1e6
    return result


def measure_idle(kind: type[Server], speaks: bool, count: int) -> float:
    """KiB of memory a connection that stands there."""
    with running(kind) as (server, folder):
        load.handshakes(server.port, folder, 0.1, False)  # what the first ones cost for good
        before = server.child.memory_kib("VmRSS")
        lines = load.idle_connections(server.port, folder, count, speaks)
        time.sleep(0.3)
        grown = server.child.memory_kib("VmRSS") - before
        for line in lines:
            line.close()
    return grown / count


def measure_connections(names: list[str], plan: argparse.Namespace, quiet: Quiet) -> dict[str, Any]:
    result: dict[str, Any] = {name: {"handshakes": []} for name in names}
    for _ in range(plan.rounds):
        for name in names:
            quiet.wait()
            result[name]["handshakes"].append(measure_handshakes(KINDS[name], plan.handshake_s))
    for name in names:
        result[name]["idle_kib"] = measure_idle(KINDS[name], True, IDLE_CONNECTIONS)
        result[name]["silent_kib"] = measure_idle(KINDS[name], False, IDLE_CONNECTIONS)
    return result


def strace_counts(path: pathlib.Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {fields[-1]: int(fields[3]) for fields in lines
            if len(fields) in (5, 6) and fields[3].isdigit() and fields[-1] != "total"}


def measure_syscalls(connections: int, seconds: int) -> dict[str, float]:
    """System calls an exchange and fdatasyncs a commit, counted by strace: it slows all, so no time is taken."""
    warm_count, commits = 5000, "onetap_ledger_transactions_total"
    with running(Onetap) as (server, folder):
        requests = load.write_requests(load.open_sessions(server.port, folder, 50), 15_000 * seconds)
        with contextlib.closing(requests):
            load.send(requests, 0, warm_count, server.port, connections, 1)
            tracer = load.traced_syscalls(server.child.process.pid, folder)
            try:
                time.sleep(0.5)
                if tracer.poll() is not None:
                    raise BenchError("strace may not look at the server")
                before = server.figures()[commits]
                seen = load.send(requests, warm_count, requests.count - warm_count, server.port, connections, seconds)
                made = server.figures()[commits] - before
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait(PATIENCE_S)
        calls = strace_counts(folder / "strace.txt")
    syncs = calls.get("fdatasync", 0) + calls.get("fsync", 0)
    most_used = sorted(calls.items(), key=lambda call: -call[1])[:12]
    return {"syncs_per_commit": syncs / max(made, 1),
            **{name: count / max(seen["requests"], 1) for name, count in most_used}}


def make_ledger(path: pathlib.Path, codes: int) -> None:
    """A real one, with real exchanges, made longer; onetap itself says whether it is sound."""
    with running(Onetap) as (server, folder):
        requests = load.write_requests(load.open_sessions(server.port, folder, 20), 15_000)
        with contextlib.closing(requests):
            load.send(requests, 0, requests.count, server.port, 64, 1)
        server.stop()
        shutil.move(folder / "onetap.db", path)
        shutil.move(folder / "onetap.db.key", "%s.key" % path)
    long_ledger.lengthen(path, codes)
    run([os.environ["ONETAP_BINARY"], "verify", "--db", str(path)], 120)


def measure_starts(plan: argparse.Namespace) -> dict[str, list[float]]:
    result = {"an empty ledger": measure_start(None, plan.rounds)}
    if plan.codes:
        made = FOLDER / "long.db"
        make_ledger(made, plan.codes)
        result["a ledger of {:,} codes".format(plan.codes)] = measure_start(made, plan.rounds)
        made.unlink()
    if plan.ledger:
        result["the ledger %s" % plan.ledger.name] = measure_start(plan.ledger, plan.rounds)
    return result


def measure_start(ledger: pathlib.Path | None, count: int) -> list[float]:
    """Seconds from the program's start until it is ready, on an empty ledger or a copy of this one."""
    result = []
    for _ in range(count):
        folder = fresh_folder(FOLDER / "run")
        if ledger is not None:
            shutil.copyfile(ledger, folder / "onetap.db")
            shutil.copyfile("%s.key" % ledger, folder / "onetap.db.key")
            (folder / "onetap.db.key").chmod(0o600)
        with contextlib.ExitStack() as kept:
            upstream = Upstream(folder)
            kept.callback(upstream.child.stop)
            server = Onetap(folder, upstream.ports[False])
            kept.callback(server.stop)
            result.append(server.ready_s)
    return result


def machine() -> dict[str, str]:
    model = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, timeout=10, check=False).stderr
    mount = run(["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(FOLDER)], 10).strip()
    system = platform.freedesktop_os_release()
    return {"processors": "%d × %s" % (os.cpu_count() or 0, model[0] if model else platform.machine()),
            "kernel": platform.release().split("-")[0], "file system": mount,
            "system": "%s %s" % (system["ID"], system.get("VERSION_ID", "")),
            "nginx": said.strip().rsplit("/", 1)[-1], "OpenSSL": run(["openssl", "version"], 10).split()[1],
            "onetap": run([os.environ["ONETAP_BINARY"], "--version"], 10).strip()}


class Attempts:
    """Parts of the benchmark, one of which may fail without the loss of the others."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    @contextlib.contextmanager
    def at(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BenchError, OSError) as failure:
            self.failures.append("%s: %s" % (what, failure))
            print("bench: " + self.failures[-1], file=sys.stderr, flush=True)


def rounds(plan: argparse.Namespace, quiet: Quiet, attempts: Attempts) -> tuple[list[dict[str, Any]], list[float]]:
    runs, disk = [], []
    for number in range(plan.rounds):
        quiet.wait()
        disk.append(disk_rate())
        for connections, slow in plan.settings:
            for name in plan.only:
                if name.startswith("seed") and connections > 64 and not plan.seed_everywhere:
                    continue
                with attempts.at("%s, %d connections" % (name, connections)):
                    runs.append({"round": number, **measure(KINDS[name], connections, slow, plan, quiet)})
                    print(report.progress(runs[-1]), file=sys.stderr, flush=True)
    return runs, disk


def bench(plan: argparse.Namespace) -> dict[str, Any]:
    quiet, attempts = Quiet(plan.quiet_s), Attempts()
    result: dict[str, Any] = {"machine": machine(), "seconds": plan.seconds, "rounds": plan.rounds}
    if plan.bad_days:
        result["runs"], result["disk"] = [], []
    else:
        result["runs"], result["disk"] = rounds(plan, quiet, attempts)
    if not plan.loads_only and not plan.bad_days:
        with attempts.at("connections"):
            names = [name for name in ("onetap", "nginx") if name in plan.only]
            result["connections"] = measure_connections(names, plan, quiet)
        if "onetap" in plan.only:
            with attempts.at("starts"):
                result["start"] = measure_starts(plan)
            with attempts.at("system calls"):
                result["syscalls"] = measure_syscalls(64, 2)
    if "onetap" in plan.only and not plan.loads_only:
        with attempts.at("bad days"):
            result["bad_days"] = bad_days.measure(FOLDER / "run", quiet, min(plan.rounds, 3), plan.bad_seconds)
    result["failures"] = attempts.failures
    return result


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench",
                                     description="What an exchange costs; see docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, 64 connections")
    parser.add_argument("--rounds", type=int, default=0, help="5")
    parser.add_argument("--seconds", type=int, default=0, help="of each measurement: 5")
    parser.add_argument("--only", default=",".join(KINDS), help="servers, with commas between: %(default)s")
    parser.add_argument("--connections", default="", help="64,256")
    parser.add_argument("--upstream", choices=["fast", "slow"], help="fast: at once; slow: after 50 ms; both")
    parser.add_argument("--loads-only", action="store_true", help="no handshakes, idle connections, starts, system calls, bad days")
    parser.add_argument("--bad-days", action="store_true", help="nothing but a slow disk, WeChat down, twice the load")
    parser.add_argument("--seed-everywhere", action="store_true", help="the seed's stack with 256 connections, too")
    parser.add_argument("--ledger", type=pathlib.Path, help="a ledger, beside its key, to start with a copy of")
    parser.add_argument("--codes", type=int, help="of a long ledger to start with: 1000000, with --quick 0")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all figures")
    parser.add_argument("--from", dest="source", type=pathlib.Path, help="measure nothing: take the figures of --json")
    parser.add_argument("--docs", action="store_true", help="write table and chart into docs/")
    plan = parser.parse_args()
    plan.rounds = plan.rounds or (1 if plan.quick else 5)
    plan.seconds = plan.seconds or (2 if plan.quick else 5)
    plan.codes = (0 if plan.quick else 1_000_000) if plan.codes is None else plan.codes
    plan.warm_s = 1
    plan.handshake_s = 0.5 if plan.quick else HANDSHAKE_S
    plan.bad_seconds = 4 if plan.quick else 10
    plan.quiet_s = 10 if plan.quick else 60
    counts = [int(count) for count in (plan.connections or ("64" if plan.quick else "64,256")).split(",")]
    plan.settings = [(count, slow) for slow in (False, True) for count in counts
                     if plan.upstream in (None, "slow" if slow else "fast")]
    plan.only = plan.only.split(",")
    unknown = set(plan.only) - set(KINDS)
    if unknown:
        parser.error("no such server: %s" % ", ".join(sorted(unknown)))
    return plan


def stop_at_signal(*_: object) -> None:
    raise SystemExit("bench: stopped")


def main() -> int:
    plan = read_arguments()
    signal.signal(signal.SIGTERM, stop_at_signal)
    os.sched_setaffinity(0, {LOAD_CPU})
    files = min(16_384, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        result = json.loads(plan.source.read_text()) if plan.source else bench(plan)
    except BenchError as failure:
        print("bench: %s" % failure, file=sys.stderr)
        return 1
    if plan.json:
        plan.json.write_text(json.dumps(result, indent=1) + "\n")
    print(report.as_markdown(result))
    if plan.docs:
        report.write_docs(result, ROOT / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
