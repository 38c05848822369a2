"""Asks onetap through the proxies that scripts/proxies has started, as a page would.

    proxies.py FOLDER keeping|stripping|away PORT       through nginx
    proxies.py FOLDER caddy|caddy-away PORT             through Caddy
    proxies.py FOLDER direct ADDRESS                    past nginx
    proxies.py FOLDER proxy-protocol PORT ADDRESS       through HAProxy, and past it

FOLDER has certificates and logs. Each client has a loopback address of its own, which no server trusts; the
proxies' is 127.0.0.1. One line a check; the status is 1 when one has failed. Python 3 and no packages.
"""
import base64
import hashlib
import hmac
import http.client
import json
import pathlib
import secrets
import socket
import ssl
import subprocess
import sys
import time

FOLDER = pathlib.Path(sys.argv[1])
WAY = sys.argv[2]
PREFIX = "/onetap"
REFERER = "https://servicewechat.com/wx0123456789abcdef/7/page-frame.html"
PATIENCE_S = 10
JSON = {"Content-Type": "application/json"}


class Failed(Exception):
    pass


def expect(is_so, what):
    if not is_so:
        raise Failed(what)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        is_json = "json" in self.headers.get("Content-Type", "")
        self.json = json.loads(self.text) if is_json and self.text else {}

    def expect(self, status, code=None):
        seen = (self.status, self.json.get("code"))
        expect(seen == (status, code), "%s instead of %s: %s" % (seen, (status, code), self.text[:200]))
        return self


class Server:
    """Where requests go: HOST:PORT, over TLS where there is a CA to trust."""

    def __init__(self, address, log, prefix, ca=None, name=None):
        host, port = address.rsplit(":", 1)
        self.endpoint = (host, int(port))
        self.log, self.prefix, self.name = FOLDER / log, prefix, name
        self.tls = ca and ssl.create_default_context(cafile=FOLDER / ca)


class Client:
    """A page with an address of its own."""

    ADDRESSES = {"keeping": 1, "stripping": 2, "away": 3, "direct": 4, "proxy-protocol": 5, "caddy": 6,
                 "caddy-away": 7}
    made = 0

    def __init__(self, server):
        Client.made += 1
        self.address = "127.0.%d.%d" % (Client.ADDRESSES[WAY], Client.made)
        self.server = server
        self.session = self.key = None

    def send(self, method, path, body=None, headers=(), chunked=False):
        """`headers` are pairs. A chunked body goes out in two pieces, without its length."""
        line = socket.create_connection(self.server.endpoint, PATIENCE_S, (self.address, 0))
        if self.server.tls:
            line = self.server.tls.wrap_socket(line, server_hostname=self.server.name)
        connection = http.client.HTTPConnection(self.server.name or "localhost", timeout=PATIENCE_S)
        connection.sock = line
        connection.putrequest(method, path, skip_accept_encoding=True)
        fields = [("Referer", REFERER), *headers]
        if chunked:
            fields.append(("Transfer-Encoding", "chunked"))
            middle = len(body) // 2
            pieces = [body[:middle], body[middle:]]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif body is not None:
            fields.append(("Content-Length", str(len(body))))
        for name, value in fields:
            connection.putheader(name, value)
        connection.endheaders(body)
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def authorization(self, method, target, body=b"", key=None):
        """Over the path that the page sends, prefix included."""
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        message = b"".join(part + b"\n" for part in
                           (method.encode(), target.encode(), timestamp.encode(), nonce.encode(), body))
        signature = base64.b64encode(hmac.new(key or self.key, message, hashlib.sha256).digest()).decode()
        return ('ONETAP-HMAC-SHA256 session="%s",key="session",timestamp="%s",nonce_str="%s",signature="%s"'
                % (self.session, timestamp, nonce, signature))

    def log_in(self):
        body = json.dumps({"jsCode": "page-" + secrets.token_hex(8)}).encode()
        answer = self.send("POST", self.server.prefix + "/session", body, JSON.items()).expect(200)
        self.session, self.key = answer.json["session"], base64.b64decode(answer.json["signingKey"])
        return self

    def consume(self, code, headers=(), chunked=False, key=None):
        path = self.server.prefix + "/phone/consume"
        body = json.dumps({"code": code}).encode()
        signed = ("Authorization", self.authorization("POST", path, body, key))
        return self.send("POST", path, body, [*JSON.items(), signed, *headers], chunked)

    def quota(self, headers=()):
        path = self.server.prefix + "/phone/quota?kind=quick"
        signed = [("Authorization", self.authorization("GET", path))] if self.session else []
        return self.send("GET", path, headers=[*signed, *headers])

    def expect_logged_as(self, address, forwarded_for):
        """What the server has written down of a request with these X-Forwarded-For, and that it goes by it."""
        request_id = secrets.token_hex(16)
        fields = [("X-Forwarded-For", value) for value in forwarded_for]
        answer = self.send("GET", self.server.prefix + "/healthz", headers=[("X-Request-Id", request_id), *fields])
        answer.expect(200)
        expect(answer.headers["X-Request-Id"] == request_id, "another request id came back")
        expect_logged(self.server.log, request_id, address)


def expect_logged(log, request_id, address):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in log.read_text().splitlines() if request_id in line]
        requests = [line for line in lines if line["msg"] == "request"]
        if requests:
            remote = requests[0]["remote"]
            return expect(remote == address, "the log says %s instead of %s" % (remote, address))
        time.sleep(0.02)
    raise Failed("the request is not in the log")


def new_code():
    return "sandbox-ok-" + secrets.token_hex(8)


def through_nginx(port):
    server = Server("127.0.0.1:" + port, "terminated.log", PREFIX, "fullchain.pem", "api.example.com")

    def logs_in_and_signs():
        page = Client(server).log_in()
        expect("phoneNumber" in page.consume(new_code()).expect(200).json, "no number")
        expect(page.quota().expect(200).json["kind"] == "quick", "no quota")

    def is_answered_twice_from_one_exchange():
        page, code = Client(server).log_in(), new_code()
        first, again = page.consume(code).expect(200), page.consume(code).expect(200)
        expect(first.json["phoneNumber"] == again.json["phoneNumber"], "another number")
        replayed = [answer.headers.get("Idempotent-Replayed") for answer in (first, again)]
        expect(replayed == [None, "true"], "replayed: %s" % replayed)

    def is_refused_with_another_key():
        page = Client(server).log_in()
        page.consume(new_code(), key=secrets.token_bytes(32)).expect(401, "SIGNATURE_INVALID")

    def is_refused_when_its_body_is_not_the_signed_one():
        page = Client(server).log_in()
        path = PREFIX + "/phone/consume"
        signed = ("Authorization", page.authorization("POST", path, b'{"code":"one"}'))
        answer = page.send("POST", path, b'{"code":"two"}', [*JSON.items(), signed])
        answer.expect(401, "SIGNATURE_INVALID")

    def may_send_its_body_in_chunks():
        Client(server).log_in().consume(new_code(), chunked=True).expect(200)

    def may_speak_http_2():
        page = Client(server).log_in()
        path, body = PREFIX + "/phone/consume", json.dumps({"code": new_code()})
        said = subprocess.run(
            ["curl", "--http2", "-sS", "--max-time", str(PATIENCE_S), "--cacert", FOLDER / "fullchain.pem",
             "--connect-to", "api.example.com:443:127.0.0.1:" + port, "-w", "\n%{http_version} %{http_code}",
             "https://api.example.com" + path, "-H", "Content-Type: application/json", "-H", "Referer: " + REFERER,
             "-H", "Authorization: " + page.authorization("POST", path, body.encode()), "-d", body],
            capture_output=True, text=True, check=False)
        expect(said.stdout.endswith("\n2 200"), said.stdout + said.stderr)

    def is_refused_by_onetap_itself_when_too_large():
        page = Client(server)
        body = json.dumps({"code": "x" * 20_000}).encode()
        page.send("POST", PREFIX + "/session", body, JSON.items()).expect(413, "PAYLOAD_TOO_LARGE")

    def asks_for_health_by_head():
        answer = Client(server).send("HEAD", PREFIX + "/healthz").expect(200)
        expect(answer.text == "" and int(answer.headers["Content-Length"]) > 0, "a body, or no length")

    def is_known_by_the_address_that_nginx_saw():
        page = Client(server)
        for forged in [[], ["203.0.113.9"], ["2001:db8::9"], ["203.0.113.9", "203.0.113.10, 127.0.0.1"], ["x,,"]]:
            page.expect_logged_as(page.address, forged)

    def is_limited_by_the_address_that_nginx_saw():
        def forgery(number):
            return [("X-Forwarded-For", "203.0.113.%d" % number)]
        page, neighbour = Client(server), Client(server)
        for number in range(30):
            page.quota(forgery(number)).expect(401, "SESSION_REQUIRED")
        limited = page.quota(forgery(30)).expect(429, "RATE_LIMITED")
        expect(int(limited.headers["Retry-After"]) > 0, "no Retry-After")
        neighbour.quota(forgery(30)).expect(401, "SESSION_REQUIRED")

    def leaves_no_query_in_nginx_access_log():
        request_id = secrets.token_hex(16)
        page = Client(server)
        page.quota([("X-Request-Id", request_id)]).expect(401, "SESSION_REQUIRED")
        expect_logged(server.log, request_id, page.address)
        wanted = " GET %s/phone/quota 401 " % PREFIX
        deadline = time.monotonic() + PATIENCE_S
        lines = []
        while not lines and time.monotonic() < deadline:  # nginx writes it after its answer has gone
            written = (FOLDER / WAY / "onetap.log").read_text()
            lines = [line for line in written.splitlines() if line.endswith(request_id)]
        expect(len(lines) == 1 and lines[0].startswith(page.address) and wanted in lines[0], lines)
        expect("kind=quick" not in written and "?" not in written, "a query is in the log")

    return [logs_in_and_signs, is_answered_twice_from_one_exchange, is_refused_with_another_key,
            is_refused_when_its_body_is_not_the_signed_one, may_send_its_body_in_chunks, may_speak_http_2,
            is_refused_by_onetap_itself_when_too_large, asks_for_health_by_head,
            is_known_by_the_address_that_nginx_saw, is_limited_by_the_address_that_nginx_saw,
            leaves_no_query_in_nginx_access_log]


def through_caddy(port):
    server = Server("127.0.0.1:" + port, "terminated.log", PREFIX, "fullchain.pem", "api.example.com")

    def is_told_to_say_the_length_of_its_body():
        Client(server).log_in().consume(new_code(), chunked=True).expect(411, "LENGTH_REQUIRED")

    others = {"may_send_its_body_in_chunks", "leaves_no_query_in_nginx_access_log"}
    checks = [check for check in through_nginx(port) if check.__name__ not in others]
    return [*checks, is_told_to_say_the_length_of_its_body]


def past_nginx(address):
    def signs(prefix):
        page = Client(Server(address, "terminated.log", prefix)).log_in()
        page.consume(new_code()).expect(200)
        page.quota().expect(200)

    def needs_no_prefix():
        signs("")

    def may_send_the_prefix():
        signs(PREFIX)

    def is_not_believed_whom_it_speaks_for():
        page = Client(Server(address, "terminated.log", ""))
        page.expect_logged_as(page.address, ["203.0.113.9"])

    def is_told_to_say_the_length_of_its_body():
        page = Client(Server(address, "terminated.log", ""))
        page.send("POST", "/session", b"{}", JSON.items(), chunked=True).expect(411, "LENGTH_REQUIRED")

    return [needs_no_prefix, may_send_the_prefix, is_not_believed_whom_it_speaks_for,
            is_told_to_say_the_length_of_its_body]


def with_the_proxy_protocol(port, address):
    proxied = Server("127.0.0.1:" + port, "passed.log", "", "passed.db.ca.pem", "localhost")
    past = Server(address, "passed.log", "", "passed.db.ca.pem", "localhost")

    def logs_in_and_signs():
        page = Client(proxied).log_in()
        page.consume(new_code()).expect(200)
        page.quota().expect(200)

    def is_known_by_the_address_that_the_proxy_saw():
        page = Client(proxied)
        page.expect_logged_as(page.address, [])
        page.expect_logged_as(page.address, ["203.0.113.9"])

    def is_closed_past_the_proxy():
        try:
            Client(past).send("GET", "/healthz")
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return
        raise Failed("it was answered")

    return [logs_in_and_signs, is_known_by_the_address_that_the_proxy_saw, is_closed_past_the_proxy]


def away(port):
    server = Server("127.0.0.1:" + port, "terminated.log", PREFIX, "fullchain.pem", "api.example.com")

    def is_told_in_a_way_that_it_understands():
        body = json.dumps({"code": new_code()}).encode()
        answer = Client(server).send("POST", PREFIX + "/phone/consume", body, JSON.items())
        answer.expect(503, "SERVER_BUSY")
        expect(answer.headers["Content-Type"] == "application/problem+json", answer.headers["Content-Type"])
        expect(answer.headers["Cache-Control"] == "no-store" and answer.headers["Retry-After"] == "2", answer.headers)
        expect(answer.json["retry"] == "same_code" and answer.json["charged"] == "unknown", answer.text)

    return [is_told_in_a_way_that_it_understands]


def main():
    ways = {"keeping": through_nginx, "stripping": through_nginx, "direct": past_nginx,
            "proxy-protocol": with_the_proxy_protocol, "away": away, "caddy": through_caddy, "caddy-away": away}
    words = {"keeping": "nginx, prefix kept", "stripping": "nginx, prefix stripped", "direct": "past nginx",
             "proxy-protocol": "PROXY protocol v2", "away": "nginx, onetap away", "caddy": "Caddy",
             "caddy-away": "Caddy, onetap away"}
    failed = 0
    for check in ways[WAY](*sys.argv[3:]):
        what = "%s: a page %s" % (words[WAY], check.__name__.replace("that_nginx_saw", "that_the_proxy_saw").replace("_", " "))
        try:
            check()
        except (Failed, OSError, http.client.HTTPException, ValueError, KeyError) as failure:
            failed = 1
            print("FAILED  %s: %s" % (what, failure or type(failure).__name__))
        else:
            print("ok      " + what)
    return failed


if __name__ == "__main__":
    sys.exit(main())
