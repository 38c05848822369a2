"""Bad days: a slow disk, WeChat down, and twice the load that onetap can bear.

Offered is what pages would send, whether or not the server keeps up: many connections, each of which pauses between an
answer and its next request. What is told comes from onetap's own metrics, over a window that begins when all
connections stand.
"""
import bisect
import concurrent.futures
import contextlib
import dataclasses
import http.client
import pathlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import load
from processes import SERVER_CPU, BenchError, Quiet, busy_s, run
from servers import Onetap, Upstream, fresh_folder

SESSIONS = 1000
CLOSED_CONNECTIONS = 64
OPEN_CONNECTIONS = 512  # at half of the peak: enough for a stall of a third of a second
CROWD = 4096  # at twice the peak: more than are let into the server at a time
SETTLE_S = 2
CROWD_SETTLE_S = 12  # 4,096 handshakes
EXCHANGES_MAX, REFUSALS_MAX = 8_000, 16_000  # a second; nothing here reaches them
SLOW_SYNCS = {"each sync 5 ms longer": {"SLOW_SYNC_MS": "5", "SLOW_SYNC_EVERY": "1"},
              "every 100th sync 300 ms longer": {"SLOW_SYNC_MS": "300", "SLOW_SYNC_EVERY": "100"}}
HEALTH_INTERVAL_S = 0.02
HEALTH_PATIENCE_S = 5
REQUESTS_A_CONNECTION = 900  # a connection carries 1,000
ANSWERED = re.compile(r'onetap_http_requests_total{listener="public",method="POST",outcome="(\w+)",route="/phone/consume"}')
LATENESS = re.compile(r'onetap_loop_lateness_seconds_bucket{le="(.+)"}')


def compile_slow_sync(folder: pathlib.Path) -> pathlib.Path:
    library = folder / "slow_sync.so"
    source = pathlib.Path(__file__).parent / "slow_sync.c"
    run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], 30)
    return library


class HealthChecks:
    """Asks one path every 20 ms, on a connection of its own, until it is told to stop."""

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], path: str) -> None:
        self.answers_ms: list[float] = []
        self.not_ok = self.lost = 0
        self._connect, self._path = connect, path
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            line = self._connect()
            try:
                line.connect()
                for _ in range(REQUESTS_A_CONNECTION):
                    self._ask(line)
                    if self._stopped.wait(HEALTH_INTERVAL_S):
                        break
            except (OSError, http.client.HTTPException):
                self.lost += 1
            finally:
                line.close()

    def _ask(self, line: http.client.HTTPConnection) -> None:
        began = time.monotonic()
        line.request("GET", self._path)
        answer = line.getresponse()
        answer.read()
        self.answers_ms.append((time.monotonic() - began) * 1e3)
        self.not_ok += answer.status != 200

    def stop(self) -> dict[str, float]:
        self._stopped.set()
        self._thread.join(HEALTH_PATIENCE_S + 1)
        known = sorted(self.answers_ms) or [float("inf")]
        return {"asked": len(self.answers_ms) + self.lost, "answered": len(self.answers_ms), "not_ok": self.not_ok,
                "p99_ms": known[int(len(known) * 0.99)], "max_ms": known[-1]}


def health_checks(server: Onetap, folder: pathlib.Path) -> dict[str, HealthChecks]:
    context = load.tls_context(folder)
    return {"healthz": HealthChecks(lambda: http.client.HTTPSConnection(
                "localhost", server.port, timeout=HEALTH_PATIENCE_S, context=context), "/healthz"),
            "readyz": HealthChecks(lambda: http.client.HTTPConnection(
                "127.0.0.1", server.operator_port, timeout=HEALTH_PATIENCE_S), "/readyz")}


def quantile_ms(grown: dict[float, float], quantile: float) -> float:
    """From a histogram's cumulative buckets, as Prometheus does it: linear within a bucket."""
    bounds = sorted(grown)
    counts = [grown[bound] for bound in bounds]
    rank = counts[-1] * quantile
    at = bisect.bisect_left(counts, rank)
    if at == len(bounds) - 1:  # beyond the last bound
        return bounds[-2] * 1e3
    low, below = (bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    return (low + (bounds[at] - low) * (rank - below) / max(counts[at] - below, 1)) * 1e3


@dataclasses.dataclass(frozen=True)
class Load:
    """What is offered: closed, by so many connections; or open, so many requests a second."""

    connections: int
    rate: float = 0  # 0: closed
    settle_s: int = SETTLE_S
    rate_max: int = EXCHANGES_MAX

    def pause_ms(self) -> float:
        return self.connections / self.rate * 1e3 if self.rate else 0

    def requests_max(self, seconds: int) -> int:
        return int((self.rate * 1.2 or self.rate_max) * (seconds + self.settle_s + 1))


class Subject:
    """onetap before its stand-in, and what it says of itself while it is under load."""

    def __init__(self, folder: pathlib.Path, server: Onetap, quiet: Quiet, seconds: int) -> None:
        self.server, self.folder, self.quiet, self.seconds = server, folder, quiet, seconds
        self.sessions = load.open_sessions(server.port, folder, SESSIONS)

    def under(self, offered: Load) -> dict[str, Any]:
        requests = load.write_requests(self.sessions, offered.requests_max(self.seconds))
        with contextlib.closing(requests), concurrent.futures.ThreadPoolExecutor(1) as pool:
            self.quiet.wait()
            sending = pool.submit(load.send, requests, 0, requests.count, self.server.port, offered.connections,
                                  offered.settle_s + self.seconds + 1, offered.pause_ms())
            time.sleep(offered.settle_s)
            measured = self.watch()
            seen = sending.result()
        self.server.child.check()
        if seen["requests"] >= requests.count:
            raise BenchError("the requests ran out: %d" % requests.count)
        return {"connections": offered.connections, "offered": offered.rate, "broken": seen["broken"], **measured}

    def watch(self) -> dict[str, Any]:
        checks = health_checks(self.server, self.folder)
        before, began = self.server.figures(), time.monotonic()
        cpu_s, busy = self.server.child.cpu_s(), busy_s(SERVER_CPU)
        time.sleep(self.seconds)
        cpu_s, busy = self.server.child.cpu_s() - cpu_s, busy_s(SERVER_CPU) - busy
        after, lasted_s = self.server.figures(), time.monotonic() - began
        health = {name: check.stop() for name, check in checks.items()}
        grown = {name: value - before.get(name, 0) for name, value in after.items()}
        outcomes = {found[1]: count for name, count in grown.items() if (found := ANSWERED.fullmatch(name)) and count}
        late = {float(found[1]): count for name, count in grown.items() if (found := LATENESS.fullmatch(name))}
        commits = grown["onetap_ledger_transactions_total"]
        return {"seconds": lasted_s, "cpu_s": cpu_s, "others_s": max(0.0, busy - cpu_s), "outcomes": outcomes, "health": health,
                "late_p50_ms": quantile_ms(late, 0.5), "late_p99_ms": quantile_ms(late, 0.99),
                "late": {str(bound): count for bound, count in late.items()}, "commits_per_s": commits / lasted_s,
                "commit_ms": grown["onetap_ledger_commit_duration_seconds_sum"] / max(commits, 1) * 1e3}


@contextlib.contextmanager
def subject(folder: pathlib.Path, quiet: Quiet, seconds: int,
            environment: dict[str, str]) -> Iterator[tuple[Subject, Upstream]]:
    fresh_folder(folder)
    with contextlib.ExitStack() as kept:
        upstream = Upstream(folder)
        kept.callback(upstream.child.stop)
        server = Onetap(folder, upstream.ports[False], environment)
        kept.callback(server.stop)
        yield Subject(folder, server, quiet, seconds), upstream


def rate_of(measured: dict[str, Any], outcome: str) -> float:
    count: float = measured["outcomes"].get(outcome, 0)
    return count / measured["seconds"]


def measure_refusals(of: Subject, upstream: Upstream) -> dict[str, Any]:
    """With nobody at WeChat's port any more; the circuit opens during the first seconds."""
    upstream.child.stop()
    return of.under(Load(CLOSED_CONNECTIONS, rate_max=REFUSALS_MAX))


def measure_round(folder: pathlib.Path, quiet: Quiet, seconds: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    with subject(folder, quiet, seconds, {}) as (of, upstream):
        result["peak"] = of.under(Load(CLOSED_CONNECTIONS))
        peak = rate_of(result["peak"], "ok")
        if not peak:
            raise BenchError("nothing was exchanged: %s" % result["peak"]["outcomes"])
        result["overload"] = of.under(Load(CROWD, 2 * peak, CROWD_SETTLE_S))
        result["down"] = measure_refusals(of, upstream)
    half = Load(OPEN_CONNECTIONS, peak / 2)
    library = compile_slow_sync(folder.parent)
    result["disk"] = {}
    for name, settings in {"as it is": {}, **SLOW_SYNCS}.items():
        environment = {"LD_PRELOAD": str(library), **settings} if settings else {}
        with subject(folder, quiet, seconds, environment) as (of, _):
            result["disk"][name] = of.under(half)
    return result


def measure(folder: pathlib.Path, quiet: Quiet, rounds: int, seconds: int) -> list[dict[str, Any]]:
    return [measure_round(folder, quiet, seconds) for _ in range(rounds)]
