"""Restarts a server under load, as systemd does with its sockets, and looks for anybody who was turned away.

    handover.py ONETAP FOLDER [RESTARTS]       FOLDER has cert.pem, of 127.0.0.1, and key.pem

This process holds the listening sockets and hands them over by systemd's protocol (sd_listen_fds(3)), hears
READY=1 and STOPPING=1, and the watchdog's food. Half of the clients keep their connections, and send again on a new
one when the old one was closed before a byte of the answer; for the others, who connect for each request, anything
but an answer is a failure. Python 3 and no packages; bounded by itself.
"""
import http.client
import itertools
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
RESTARTS = int(sys.argv[3]) if len(sys.argv) > 3 else 3
CLIENTS = 12
REQUESTS_BETWEEN = 150  # of all clients together, from one restart to the next
PATIENCE_S = 60
REFERER = "https://servicewechat.com/wx0123456789abcdef/7/page-frame.html"


def listening():
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    one.listen(1024)
    return one


class Supervisor:
    def __init__(self):
        self.sockets = {"public": listening(), "operator": listening()}
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(FOLDER / "notify"))
        self.notify.settimeout(PATIENCE_S)
        self.server = None
        self.heard = []

    @property
    def port(self):
        return self.sockets["public"].getsockname()[1]

    def start(self):
        environment = dict(os.environ, LISTEN_FDS=str(len(self.sockets)), LISTEN_FDNAMES=":".join(self.sockets),
                           NOTIFY_SOCKET=str(FOLDER / "notify"), WATCHDOG_USEC="3000000")
        command = [PROGRAM, "serve", "--sandbox", "--db=%s" % (FOLDER / "ledger.db"), "--verify=origin",
                   "--rate-ip=0", "--rate-user=0", "--log-level=warn",
                   "--tls-cert=%s" % (FOLDER / "cert.pem"), "--tls-key=%s" % (FOLDER / "key.pem")]
        log = open(FOLDER / "log", "ab")
        child = os.fork()
        if child == 0:
            kept = [os.dup(each.fileno()) for each in self.sockets.values()]
            for i, descriptor in enumerate(kept):
                os.dup2(os.dup(descriptor), 100 + i)  # out of the way of 3 and 4
            for i in range(len(kept)):
                os.dup2(100 + i, 3 + i, inheritable=True)
            os.dup2(log.fileno(), 2)
            environment["LISTEN_PID"] = str(os.getpid())
            os.execve(PROGRAM, command, environment)
        log.close()
        self.server = child
        self.await_word("READY=1")

    def stop(self):
        os.kill(self.server, 15)
        self.await_word("STOPPING=1")
        _, status = os.waitpid(self.server, 0)
        self.server = None
        if status != 0:
            raise SystemExit("the server ended with status %d:\n%s" % (status, (FOLDER / "log").read_text()))

    def await_word(self, word):
        while True:
            try:
                said = self.notify.recv(4096).decode()
            except TimeoutError:
                raise SystemExit("never said %s:\n%s" % (word, (FOLDER / "log").read_text())) from None
            self.heard.append(said)
            if said == word:
                return

    def end(self):
        if self.server:
            os.kill(self.server, 9)
            os.waitpid(self.server, 0)


class Load:
    def __init__(self, port):
        self.port = port
        self.tls = ssl.create_default_context(cafile=FOLDER / "cert.pem")
        self.numbers = itertools.count()
        self.done, self.resent, self.failures = 0, 0, []
        self.stopping = False
        self.lock = threading.Lock()
        self.progress = threading.Condition(self.lock)
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 0,), daemon=True) for i in range(CLIENTS)]

    def connect(self):
        line = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_S, context=self.tls)
        line.connect()
        return line

    def ask(self, line, number):
        body = json.dumps({"code": "sandbox-ok-%d" % number})
        line.request("POST", "/phone/consume", body, {"Content-Type": "application/json", "Referer": REFERER})
        answer = line.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise AssertionError("%d %s" % (answer.status, text[:200]))
        return answer.will_close

    def run(self, keeps):
        line = None
        while not self.stopping:
            with self.lock:
                number = next(self.numbers)
            try:
                is_fresh = line is None
                line = line or self.connect()
                try:
                    closes = self.ask(line, number)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                    if is_fresh:
                        raise
                    # It was idle, and closed: not a byte of an answer came. Once more, on a new one.
                    line.close()
                    line = self.connect()
                    closes = self.ask(line, number)
                    with self.lock:
                        self.resent += 1
                if closes or not keeps:
                    line.close()
                    line = None
                with self.lock:
                    self.done += 1
                    self.progress.notify_all()
            except Exception as failure:  # whatever it was, a page would have seen it
                line = None
                with self.lock:
                    self.failures.append("%s: %r" % ("kept" if keeps else "new", failure))
                    self.progress.notify_all()

    def await_requests(self, count):
        with self.lock:
            target = self.done + count
            ended = self.progress.wait_for(lambda: self.done >= target or self.failures, PATIENCE_S)
        if not ended:
            raise SystemExit("the load stands still at %d requests" % self.done)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(PATIENCE_S)


def main():
    supervisor = Supervisor()
    try:
        supervisor.start()
        load = Load(supervisor.port)
        for thread in load.threads:
            thread.start()
        for _ in range(RESTARTS):
            load.await_requests(REQUESTS_BETWEEN)
            supervisor.stop()
            supervisor.start()
        load.await_requests(REQUESTS_BETWEEN)
        load.stop()
        supervisor.stop()
    finally:
        supervisor.end()
    said = "%d requests over %d restarts: %d failed, %d sent again on a kept connection that was closed" % (
        load.done, RESTARTS, len(load.failures), load.resent)
    for failure in load.failures[:10]:
        print(failure)
    print(said)
    fed = supervisor.heard.count("WATCHDOG=1")
    if fed < RESTARTS + 1:
        raise SystemExit("the watchdog was fed %d times only" % fed)
    verified = subprocess.run([PROGRAM, "verify", "--db", str(FOLDER / "ledger.db")], capture_output=True, text=True,
                              timeout=PATIENCE_S)
    print(verified.stdout.strip())
    if load.failures or verified.returncode != 0:
        raise SystemExit(1)


main()
