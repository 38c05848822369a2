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
BAD_DAYS_BEGIN = "<!-- bench: bad days, written by scripts/bench --docs -->"
BAD_DAYS_END = "<!-- bench: bad days end -->"


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


def machine_sentence(result: Result) -> str:
    machine = ", ".join("%s %s" % pair for pair in result["machine"].items())
    return machine[0].upper() + machine[1:] + "."


def machine_lines(result: Result) -> list[str]:
    errors = sum(run["errors"] for run in result["runs"])
    plural = "s" if result["rounds"] > 1 else ""
    lines = ["%d round%s of %d s each. %s" % (result["rounds"], plural, result["seconds"], machine_sentence(result)), "",
             *failure_lines(result)]
    if errors:
        lines += ["**%d requests failed: the figures of their rows are not to be trusted.**" % errors, ""]
    return lines


def failure_lines(result: Result) -> list[str]:
    lines = []
    for failure in result["failures"]:
        lines += ["**Failed: %s.**" % failure.splitlines()[0], ""]
    return lines


def exchange_markdown(result: Result) -> str:
    lines = machine_lines(result)
    goals = goal_rows(result)
    if goals:
        lines += table(["", "aimed at", "measured"], goals)
    lines += load_tables(result) + ledger_table(result) + connection_table(result) + other_lines(result)
    return "\n".join(lines)


def outcome_rate(run: Run, outcome: str) -> float:
    rate: float = run["outcomes"].get(outcome, 0) / run["seconds"]
    return rate


def cpu_each(run: Run) -> float:
    """Of a request that was answered, whatever with."""
    cpu_s: float = run["cpu_s"]
    return cpu_s / max(sum(run["outcomes"].values()), 1)


def health_words(runs: list[Run]) -> str:
    checks = [check for run in runs for check in run["health"].values()]
    asked, answered = (sum(check[field] for check in checks) for field in ("asked", "answered"))
    return "%s of %s" % (number(answered), number(asked))


def disk_name(name: str) -> str:
    return "the disk as it is" if name == "as it is" else name


def disk_runs(rounds: list[dict[str, Any]]) -> dict[str, list[Run]]:
    return {name: [days["disk"][name] for days in rounds] for name in rounds[0]["disk"]}


def bad_day_goals(rounds: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for name, runs in disk_runs(rounds).items():
        goal, health_goal = ("", "") if name == "as it is" else ("≤ 2", "all")
        rows += [["loop late, p99 ms, %s" % disk_name(name), goal, spread(run["late_p99_ms"] for run in runs)],
                 ["health checks answered, the same", health_goal, health_words(runs)]]
    connections = rounds[0]["down"]["connections"]
    rows += [["CPU of a refusal ÷ an exchange, WeChat down, %d connections" % connections, "< 0.1",
              spread(cpu_each(days["down"]) / cpu_each(days["peak"]) for days in rounds)],
             ["exchanges/s at twice the peak's load ÷ the peak", "≥ 0.9",
              spread(outcome_rate(days["overload"], "ok") / outcome_rate(days["peak"], "ok") for days in rounds)]]
    return rows


def refused_rate(run: Run) -> float:
    refused: float = sum(count for outcome, count in run["outcomes"].items() if outcome != "ok") / run["seconds"]
    return refused


def bad_day_row(name: str, runs: list[Run]) -> list[str]:
    def health(check: str) -> str:
        return " / ".join(middle(run["health"][check][field] for run in runs) for field in ("p99_ms", "max_ms"))

    is_open = runs[0]["offered"] > 0
    offered = middle(run["offered"] for run in runs) if is_open else "%d connections at once" % runs[0]["connections"]
    return [name, offered, middle(outcome_rate(run, "ok") for run in runs), middle(map(refused_rate, runs)),
            middle(cpu_each(run) * 1e6 for run in runs),
            " / ".join(middle(run[field] for run in runs) for field in ("late_p50_ms", "late_p99_ms")),
            health("healthz"), health("readyz"),
            " × ".join(middle(run[field] for run in runs) for field in ("commits_per_s", "commit_ms")),
            " / ".join("%.0f %%" % (statistics.median(run[field] / run["seconds"] for run in runs) * 100)
                       for field in ("cpu_s", "others_s"))]


def bad_days_markdown(result: Result) -> str:
    rounds = result["bad_days"]
    names = {"peak": "the peak: all in order, as much as goes", "overload": "twice that", "down": "WeChat down"}
    rows = [bad_day_row(name, [days[key] for days in rounds]) for key, name in names.items()]
    rows += [bad_day_row("half of the peak, %s" % disk_name(name), runs) for name, runs in disk_runs(rounds).items()]
    head = ["", "offered/s", "exchanges/s", "refused/s", "CPU µs an answer", "loop late, p50 / p99 ms",
            "`/healthz`, p99 / longest ms", "`/readyz`, p99 / longest ms", "commits/s × ms", "CPU 0: server / others"]
    plural = "s" if len(rounds) > 1 else ""
    return "\n".join(["%d round%s. %s" % (len(rounds), plural, machine_sentence(result)), "",
                      *table(["", "aimed at", "measured"], bad_day_goals(rounds)), *table(head, rows)])


def as_markdown(result: Result) -> str:
    parts = [exchange_markdown(result)] if result["runs"] else ["\n".join(failure_lines(result))]
    if "bad_days" in result:
        parts += ["**Bad days**", "", bad_days_markdown(result)]
    return "\n".join(parts)


def chart_groups(result: Result) -> list[chart.Group]:
    groups = []
    for setting in settings(result):
        bars = [chart.Bar(NAMES[server], ratios) for server in servers(result)
                if server != "nginx" and (ratios := cpu_ratios(result, server, setting))]
        groups.append(chart.Group("%d connections, %s" % (setting[0], upstream_name(setting[1])), bars))
    return [group for group in groups if group.bars]


def write_between(page: pathlib.Path, begin: str, end: str, text: str) -> None:
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text("%s%s\n\n%s\n%s%s" % (before, begin, text.strip(), end, after))


def write_docs(result: Result, docs: pathlib.Path) -> None:
    """The page's measured parts, each between its marks, and the chart: those that were measured."""
    page = docs / "performance.md"
    if result["runs"]:
        picture = "![CPU an exchange, as a multiple of nginx's](performance.svg)"
        write_between(page, BEGIN, END, "%s\n\n%s" % (picture, exchange_markdown(result)))
        (docs / "performance.svg").write_text(chart.draw(chart_groups(result)))
    if "bad_days" in result:
        write_between(page, BAD_DAYS_BEGIN, BAD_DAYS_END, bad_days_markdown(result))
