"""Tables of what was measured: medians, and ratios to nginx that are taken within a round, with their spread."""
import pathlib
import statistics
from collections.abc import Callable, Iterable
from typing import Any

import chart

Run = dict[str, Any]
Result = dict[str, Any]
Setting = tuple[int, bool]

NAMES = {"onetap": "onetap", "nginx": "nginx, passing on", "seed-group": "Node.js, group commit",
         "seed": "Node.js, commit each"}
BEGIN = "<!-- bench: written by scripts/bench --docs -->"
END = "<!-- bench: end -->"


def progress(run: Run) -> str:
    return ("round %d  %-10s %3d connections, %s: %7.1f µs, %6.0f/s, p50 %.2f ms, p99 %.2f ms, others %.0f %%, errors %d"
            % (run["round"] + 1, run["server"], run["connections"], upstream_name(run["slow"]), run["cpu_us"],
               run["rate"], run["p50_ms"], run["p99_ms"], run["others_share"] * 100, run["errors"]))


def upstream_name(slow: bool) -> str:
    return "upstream after 50 ms" if slow else "upstream at once"


def settings(result: Result) -> list[Setting]:
    return list(dict.fromkeys((run["connections"], run["slow"]) for run in result["runs"]))


def servers(result: Result) -> list[str]:
    seen = {run["server"] for run in result["runs"]}
    return [name for name in NAMES if name in seen]


def runs_of(result: Result, server: str, setting: Setting) -> list[Run]:
    """In the order of their rounds."""
    return [run for run in result["runs"]
            if run["server"] == server and (run["connections"], run["slow"]) == setting]


def values(result: Result, server: str, setting: Setting, field: str) -> list[float]:
    return [run[field] for run in runs_of(result, server, setting)]


def paired(result: Result, server: str, other: str, setting: Setting, field: str,
           by: Callable[[float, float], float]) -> list[float]:
    """Of each round that both were in, one figure set against the other's."""
    others = {run["round"]: run[field] for run in runs_of(result, other, setting)}
    return [by(run[field], others[run["round"]]) for run in runs_of(result, server, setting) if run["round"] in others]


def ratio(one: float, other: float) -> float:
    return one / other


def difference(one: float, other: float) -> float:
    return one - other


def cpu_ratios(result: Result, server: str, setting: Setting, other: str = "nginx") -> list[float]:
    return paired(result, server, other, setting, "cpu_us", ratio)


def number(value: float) -> str:
    """Three significant digits or so."""
    if abs(value) >= 1000:
        return "{:,.0f}".format(value)
    return "%.*f" % (0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2, value)


def spread(figures: Iterable[float]) -> str:
    known = list(figures)
    if not known:
        return "–"
    if len(known) == 1:
        return number(known[0])
    return "%s (%s–%s)" % (number(statistics.median(known)), number(min(known)), number(max(known)))


def middle(figures: Iterable[float]) -> str:
    known = list(figures)
    return number(statistics.median(known)) if known else "–"


def signed(figures: list[float]) -> str:
    return "%+.2f" % statistics.median(figures) if figures else "–"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| %s |" % " | ".join(head), "|%s" % ("---|" * len(head)), *("| %s |" % " | ".join(row) for row in rows), ""]


def load_row(result: Result, server: str, setting: Setting) -> list[str]:
    def of(field: str) -> list[float]:
        return values(result, server, setting, field)

    def added(field: str) -> str:
        return signed(paired(result, server, "nginx", setting, field, difference))

    is_nginx = server == "nginx"
    latencies = ["p50_ms", "p99_ms", "p999_ms"]
    return [NAMES[server], middle(of("cpu_us")), "1" if is_nginx else spread(cpu_ratios(result, server, setting)),
            middle(of("rate")), "1" if is_nginx else spread(paired(result, server, "nginx", setting, "rate", ratio)),
            " / ".join(middle(of(field)) for field in latencies),
            "" if is_nginx else " / ".join(added(field) for field in latencies),
            middle(kib / 1024 for kib in of("peak_rss_kib")),
            " / ".join("%.0f %%" % (statistics.median(of(field)) * 100) for field in ("server_share", "others_share")),
            "%d" % sum(of("errors"))]


def load_tables(result: Result) -> list[str]:
    head = ["server", "CPU µs a request", "× nginx", "requests/s", "× nginx", "p50 / p99 / p999 ms",
            "over nginx, ms", "peak RSS MiB", "CPU 0: server / others", "errors"]
    lines = []
    for setting in settings(result):
        rows = [load_row(result, server, setting) for server in servers(result) if runs_of(result, server, setting)]
        lines += ["**%d connections, %s**" % (setting[0], upstream_name(setting[1])), "", *table(head, rows)]
    return lines


def ledger_table(result: Result) -> list[str]:
    rows = []
    for setting in settings(result):
        runs = runs_of(result, "onetap", setting)
        if not runs:
            continue
        ledgers = [run["ledger"] for run in runs]
        per_sync = [run["rate"] / result["disk"][run["round"]] for run in runs]
        rows.append(["%d, %s" % (setting[0], upstream_name(setting[1])),
                     *(spread(ledger[name] for ledger in ledgers)
                       for name in ("commits_per_s", "rows_per_commit", "commit_ms")), spread(per_sync),
                     spread(ledger["upstream_connections"] * 1000 / run["requests"]
                            for ledger, run in zip(ledgers, runs))])
    if not rows:
        return []
    return ["**The ledger of onetap, and its connections to WeChat.** The disk alone makes %s fdatasyncs a second (4 KiB,"
            " over blocks written before)." % spread(result["disk"]), "",
            *table(["connections", "commits/s", "ledger commands a commit", "ms a commit", "exchanges ÷ the disk's fdatasyncs",
                    "new connections to WeChat, of 1,000 exchanges"], rows)]


def handshake_ratios(result: Result, field: str) -> list[float]:
    connections = result["connections"]
    if "nginx" not in connections or "onetap" not in connections:
        return []
    return [ours[field] / theirs[field] for ours, theirs
            in zip(connections["onetap"]["handshakes"], connections["nginx"]["handshakes"])]


def connection_table(result: Result) -> list[str]:
    connections = result.get("connections")
    if not connections:
        return []
    names = list(connections)
    rows = [["%s handshakes a CPU second" % word,
             *(spread(1e6 / one[field] for one in connections[name]["handshakes"]) for name in names),
             spread(handshake_ratios(result, field))]
            for word, field in (("full", "full_us"), ("resumed", "resumed_us"))]
    for word, field in (("KiB an idle TLS connection, past one request", "idle_kib"),
                        ("KiB a connection before its first byte", "silent_kib")):
        figures = [connections[name][field] for name in names]
        rows.append([word, *map(number, figures), number(figures[0] / figures[1]) if len(figures) == 2 else "–"])
    lines = ["**Connections.** The ratio of handshakes is the one of CPU: below 1 onetap needs less.", ""]
    return lines + table(["", *(NAMES[name] for name in names), "onetap ÷ nginx"], rows)


def other_lines(result: Result) -> list[str]:
    lines = []
    for name, seconds in result.get("start", {}).items():
        lines.append("- From the start of the program until it is ready, on %s: %s ms." % (
            name, spread(second * 1000 for second in seconds)))
    if result.get("syscalls"):
        calls = dict(result["syscalls"])
        syncs = calls.pop("syncs_per_commit")
        lines.append("- Under strace: %s fdatasyncs a commit; system calls an exchange: %s." % (
            number(syncs), ", ".join("%s %s" % (name, number(count)) for name, count in calls.items())))
    return [*lines, ""] if lines else []


def goal_rows(result: Result) -> list[list[str]]:
    rows: list[list[str]] = []

    def add(words: str, goal: str, figures: list[float]) -> None:
        if figures:
            rows.append([words, goal, spread(figures)])

    for setting, most in (((64, False), "1.8"), ((256, False), "1.6"), ((64, True), "1.6")):
        words = "CPU an exchange ÷ nginx, %d connections, %s" % (setting[0], upstream_name(setting[1]))
        add(words, "≤ %s" % most, cpu_ratios(result, "onetap", setting))
    saturated, delayed = (64, False), (64, True)
    add("durable exchanges/s ÷ nginx's requests/s", "≥ 0.65", paired(result, "onetap", "nginx", saturated, "rate", ratio))
    add("durable exchanges/s ÷ the disk's fdatasyncs/s", "≥ 3.5",
        [run["rate"] / result["disk"][run["round"]] for run in runs_of(result, "onetap", saturated)])
    add("CPU of the Node.js stack ÷ onetap, group commit", "≥ 12", cpu_ratios(result, "seed-group", saturated, "onetap"))
    add("CPU of the Node.js stack ÷ onetap, commit each", "≥ 30", cpu_ratios(result, "seed", saturated, "onetap"))
    sync_ms = 2e3 / statistics.median(result["disk"])
    add("p50 over nginx, ms, 64 connections, upstream after 50 ms", "≤ %s (2 fdatasyncs + 0.3)" % number(sync_ms + 0.3),
        paired(result, "onetap", "nginx", delayed, "p50_ms", difference))
    add("p99 over nginx, ms, the same", "≤ 2.5", paired(result, "onetap", "nginx", delayed, "p99_ms", difference))
    if result.get("connections") and len(result["connections"]) == 2:
        ours, theirs = result["connections"]["onetap"], result["connections"]["nginx"]
        add("memory of an idle TLS connection ÷ nginx", "≤ 1.0", [ours["idle_kib"] / theirs["idle_kib"]])
        add("KiB before the first byte", "≤ 1.5", [ours["silent_kib"]])
        add("CPU of a full handshake ÷ nginx", "≤ 1.0", handshake_ratios(result, "full_us"))
        add("CPU of a resumed handshake ÷ nginx", "≤ 0.8", handshake_ratios(result, "resumed_us"))
    for name, seconds in result.get("start", {}).items():
        if name != "an empty ledger":
            add("ms from start to ready, on %s" % name, "≤ 300", [second * 1000 for second in seconds])
    return rows


def machine_lines(result: Result) -> list[str]:
    machine = ", ".join("%s %s" % pair for pair in result["machine"].items())
    errors = sum(run["errors"] for run in result["runs"])
    plural = "s" if result["rounds"] > 1 else ""
    lines = ["%d round%s of %d s each. %s." % (result["rounds"], plural, result["seconds"],
                                               machine[0].upper() + machine[1:]), ""]
    for failure in result["failures"]:
        lines += ["**Failed: %s.**" % failure.splitlines()[0], ""]
    if errors:
        lines += ["**%d requests failed: the figures of their rows are not to be trusted.**" % errors, ""]
    return lines


def as_markdown(result: Result) -> str:
    lines = machine_lines(result)
    goals = goal_rows(result)
    if goals:
        lines += table(["", "aimed at", "measured"], goals)
    lines += load_tables(result) + ledger_table(result) + connection_table(result) + other_lines(result)
    return "\n".join(lines)


def chart_groups(result: Result) -> list[chart.Group]:
    groups = []
    for setting in settings(result):
        bars = [chart.Bar(NAMES[server], ratios) for server in servers(result)
                if server != "nginx" and (ratios := cpu_ratios(result, server, setting))]
        groups.append(chart.Group("%d connections, %s" % (setting[0], upstream_name(setting[1])), bars))
    return [group for group in groups if group.bars]


def write_docs(result: Result, docs: pathlib.Path) -> None:
    """The page's measured part, between its marks, and the chart."""
    page = docs / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    picture = "![CPU an exchange, as a multiple of nginx's](performance.svg)"
    page.write_text("%s%s\n\n%s\n\n%s\n%s%s" % (before, BEGIN, picture, as_markdown(result).strip(), END, after))
    (docs / "performance.svg").write_text(chart.draw(chart_groups(result)))
