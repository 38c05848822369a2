"""What is sent: signed requests made beforehand, by wrk; and connections that only stand there."""
import base64
import dataclasses
import hmac
import http.client
import json
import os
import pathlib
import secrets
import socket
import ssl
import subprocess
import time

from processes import LOAD_CPU, BenchError, on_cpu, run
from servers import APPID

PATH = "/phone/consume"
REFERER = "https://servicewechat.com/%s/7/page-frame.html" % APPID
# A phone's, as WeChat sends it.
AGENT = ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
         "MicroMessenger/8.0.50(0x1800322b) NetType/WIFI Language/zh_CN")
HEADERS = ("Host: localhost\r\nContent-Type: application/json\r\nAccept-Encoding: gzip,compress,br,deflate\r\n"
           "User-Agent: %s\r\nReferer: %s\r\n" % (AGENT, REFERER))
SMALL_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
REPLAY = pathlib.Path(__file__).parent / "replay.lua"


@dataclasses.dataclass(frozen=True)
class Session:
    token: str
    signing_key: bytes


@dataclasses.dataclass(frozen=True)
class RequestFile:
    """Requests of one length, one after the other; in memory, so that the disk is the server's alone."""

    descriptor: int
    length: int
    count: int

    def path(self) -> str:
        return "/proc/%d/fd/%d" % (os.getpid(), self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def tls_context(folder: pathlib.Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "cert.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def invented_sessions(count: int) -> list[Session]:
    """For servers that don't look at them."""
    return [Session(secrets.token_urlsafe(32), secrets.token_bytes(32)) for _ in range(count)]


def log_in(line: http.client.HTTPSConnection) -> dict[str, str]:
    """Comes back when the server is busy: right after its start under callgrind, it is."""
    busy = 503
    tries_max = 20
    for _ in range(tries_max):
        body = json.dumps({"jsCode": secrets.token_hex(14)[:27]})
        line.request("POST", "/session", body, {"Content-Type": "application/json", "Referer": REFERER})
        answer = line.getresponse()
        text = answer.read()
        if answer.status == 200:
            fields: dict[str, str] = json.loads(text)
            return fields
        if answer.status != busy:
            break
        time.sleep(0.25)
    raise BenchError("a login was answered %d: %s" % (answer.status, text[:200]))


def open_sessions(port: int, folder: pathlib.Path, count: int) -> list[Session]:
    """By the login that a page does, each of a user of its own."""
    sessions: list[Session] = []
    while len(sessions) < count:
        line = http.client.HTTPSConnection("localhost", port, timeout=10, context=tls_context(folder))
        line.connect()
        for _ in range(min(900, count - len(sessions))):  # a connection carries 1,000
            fields = log_in(line)
            sessions.append(Session(fields["session"], base64.b64decode(fields["signingKey"])))
        line.close()
    return sessions


def signed_request(session: Session, code: str, nonce: str, timestamp: str) -> str:
    body = '{"code":"%s"}' % code
    message = "POST\n%s\n%s\n%s\n%s\n" % (PATH, timestamp, nonce, body)
    signature = base64.b64encode(hmac.digest(session.signing_key, message.encode(), "sha256")).decode()
    return ('POST %s HTTP/1.1\r\n%sAuthorization: ONETAP-HMAC-SHA256 session="%s",key="session",timestamp="%s",'
            'nonce_str="%s",signature="%s"\r\nContent-Length: %d\r\n\r\n%s'
            % (PATH, HEADERS, session.token, timestamp, nonce, signature, len(body), body))


def write_requests(sessions: list[Session], count: int) -> RequestFile:
    """Each with a code and a nonce of its own, the sessions in turn."""
    timestamp = str(int(time.time()))
    at_once = 5000
    length = 0
    descriptor = os.memfd_create("requests")
    with open(descriptor, "wb", closefd=False) as out:
        for first in range(0, count, at_once):
            numbers = range(first, min(first + at_once, count))
            digits = os.urandom(48 * len(numbers)).hex()
            requests = [signed_request(sessions[number % len(sessions)], digits[96 * i:96 * i + 64],
                                       digits[96 * i + 64:96 * i + 96], timestamp)
                        for i, number in enumerate(numbers)]
            length = len(requests[0])
            out.write("".join(requests).encode())
    return RequestFile(descriptor, length, count)


def send(requests: RequestFile, first: int, count: int, port: int, connections: int, seconds: int,
         pause_ms: float = 0) -> dict[str, float]:
    """What wrk saw, on its own processor; each connection pauses so long, on average, before a request."""
    said = run(["wrk", "--threads", "1", "--connections", str(connections), "--duration", "%ds" % seconds,
                "--timeout", "10s", "--script", str(REPLAY), "https://localhost:%d%s" % (port, PATH), "--",
                requests.path(), str(requests.length), str(first), str(count),
                *([str(pause_ms)] if pause_ms else [])], seconds + 30)
    return json.loads(said.strip().splitlines()[-1])


def connect(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


def ask_small(line: ssl.SSLSocket, closes: bool) -> None:
    """A request that the server answers by itself."""
    line.sendall(SMALL_REQUEST % (b"Connection: close\r\n" if closes else b""))
    answer = line.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BenchError("a health check was answered %r" % answer[:100])
    while closes and answer:
        answer = line.recv(4096)


def handshakes(port: int, folder: pathlib.Path, seconds: float, resumes: bool) -> int:
    """Connections made one after the other, each for one small request."""
    context = tls_context(folder)
    session = None
    if resumes:
        with connect(port, context) as line:
            ask_small(line, True)
            session = line.session
    count = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with connect(port, context, session) as line:
            ask_small(line, True)
            if resumes and not line.session_reused:
                raise BenchError("a session was not resumed")
            session = line.session if resumes else None
        count += 1
    return count


def idle_connections(port: int, folder: pathlib.Path, count: int, speaks: bool) -> list[socket.socket]:
    """Past one request, or before the first byte."""
    if not speaks:
        return [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(count)]
    context = tls_context(folder)
    lines: list[socket.socket] = []
    for _ in range(count):
        line = connect(port, context)
        ask_small(line, False)
        lines.append(line)
    return lines


def traced_syscalls(pid: int, folder: pathlib.Path) -> subprocess.Popen[bytes]:
    """strace that counts system calls, until it is interrupted."""
    return subprocess.Popen(on_cpu(LOAD_CPU, ["strace", "-f", "-c", "-o", str(folder / "strace.txt"), "-p", str(pid)]),
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
