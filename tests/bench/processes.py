"""Processes of a benchmark: started on a processor of their own, watched by what /proc says, and always ended."""
import os
import pathlib
import signal
import socket
import subprocess
import time

SERVER_CPU = 0
LOAD_CPU = 1
PATIENCE_S = 20
QUIET_SHARE = 0.05
CLOCK_OF_PROCESS = 2  # CPUCLOCK_SCHED: nanoseconds of all its threads, ended ones included
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something that ends the benchmark, in a sentence."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_cpu(cpu: int, command: list[str]) -> list[str]:
    """The command bound to a processor, and to the life of this process."""
    return ["taskset", "--cpu-list", str(cpu), "setpriv", "--pdeathsig", "TERM", *command]


class Child:
    """A server process; everything it says goes to a file."""

    def __init__(self, name: str, command: list[str], cpu: int, folder: pathlib.Path,
                 environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / (name + ".log")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ONETAP_")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(on_cpu(cpu, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=folder, env={**inherited, **(environment or {})})

    def await_port(self, port: int) -> None:
        """Until somebody listens there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.check()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise BenchError("%s does not listen; see %s" % (self.name, self.log))

    def check(self) -> None:
        if self.process.poll() is not None:
            last = self.log.read_text(errors="replace").splitlines()[-5:]
            raise BenchError("%s has ended with status %d:\n%s" % (self.name, self.process.returncode, "\n".join(last)))

    def tree(self) -> list[int]:
        """This process and all below it."""
        found, next_ones = [], [self.process.pid]
        while next_ones:
            pid = next_ones.pop()
            found.append(pid)
            try:
                next_ones += map(int, pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split())
            except FileNotFoundError:
                pass
        return found

    def cpu_s(self) -> float:
        """User and system time so far, of the whole tree."""
        return sum(time.clock_gettime(~pid << 3 | CLOCK_OF_PROCESS) for pid in self.tree())

    def memory_kib(self, field: str) -> int:
        """VmRSS or VmHWM, summed over the tree."""
        total = 0
        for pid in self.tree():
            for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
                if line.startswith(field + ":"):
                    total += int(line.split()[1])
        return total

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def busy_s(cpu: int) -> float:
    """How long this processor has been busy since the machine's start, with whatever."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == "cpu%d" % cpu:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
            return (user + nice + system + irq + softirq + steal) / TICKS_PER_S
    raise BenchError("there is no processor %d: two are needed" % cpu)


class Quiet:
    """Waits for others to leave the two processors alone, and gives up when the patience for the whole run is spent."""

    def __init__(self, patience_s: float) -> None:
        self.left_s = patience_s

    def wait(self) -> None:
        look_s = 0.5
        while self.left_s > 0:
            before = [busy_s(cpu) for cpu in (SERVER_CPU, LOAD_CPU)]
            time.sleep(look_s)
            used = [busy_s(cpu) - was for cpu, was in zip((SERVER_CPU, LOAD_CPU), before)]
            if max(used) <= QUIET_SHARE * look_s:
                return
            self.left_s -= look_s


def run(command: list[str], seconds_max: float, cpu: int = LOAD_CPU, folder: pathlib.Path | None = None) -> str:
    """What a bounded command writes; it has to succeed."""
    try:
        done = subprocess.run(on_cpu(cpu, command), capture_output=True, text=True, timeout=seconds_max, cwd=folder,
                              check=False)
    except subprocess.TimeoutExpired as late:
        raise BenchError("%s took longer than %d s" % (command[0], seconds_max)) from late
    if done.returncode != 0:
        raise BenchError("%s: %s" % (" ".join(command[:3]), done.stderr.strip()[-500:] or done.stdout.strip()[-500:]))
    return done.stdout
