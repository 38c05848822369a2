"""WeChat as the crash loop needs it, and the witness of what reached it. Shares no code with the server.

    python3 tests/system/witness.py --ca-out FILE

Listens on two ports of 127.0.0.1 and says on stderr, a JSON line each, where:
  wechat   HTTPS. stable_token and getuserphonenumber; its certificate is written to --ca-out.
  journal  HTTP. GET /?limit=N: the N codes last seen for the first time, each with the calls that presented
           it and the numbers that were given for it.
The codes: sandbox-reset-* uses the code up and closes without an answer; sandbox-minute-limit-* is refused
with 45011; sandbox-expired-* with 40029; sandbox-token-expired-* with 42001 until it comes with another token.
Any other code is good for one number, then 40029. A call is counted before it is answered.
"""

import argparse
import asyncio
import dataclasses
import email.utils
import hashlib
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

TOKEN_LIFE_S = 7200
TOKEN_OVERLAP_S = 300


@dataclasses.dataclass
class Code:
    calls: int = 0
    numbers: int = 0
    refused_token: str = ""


class LoseAnswer(Exception):
    """The connection ends where the answer would stand."""


def refusal(errcode, errmsg):
    return {"errcode": errcode, "errmsg": errmsg + " rid: 00000000-00000000-00000000"}


def number_of(code):
    return "139%08d" % (int(hashlib.sha256(code.encode()).hexdigest(), 16) % 10**8)


class WeChat:
    def __init__(self):
        self.codes = {}  # in the order of their first call
        self.tokens = {}  # appid by token
        self.current = {}  # (token, its end) by appid

    def stable_token(self, body):
        appid = body.get("appid")
        if not appid or not body.get("secret"):
            return refusal(41002 if not appid else 41004, "appid or appsecret missing")
        if body.get("grant_type") != "client_credential":
            return refusal(40002, "invalid grant_type")
        token, end = self.current.get(appid, ("", 0))
        if body.get("force_refresh") or end - time.monotonic() <= TOKEN_OVERLAP_S:
            token, end = "97_witness_%d" % (len(self.tokens) + 1), time.monotonic() + TOKEN_LIFE_S
            self.tokens[token] = appid
            self.current[appid] = (token, end)
        return {"access_token": token, "expires_in": int(end - time.monotonic())}

    def phone_number(self, token, body):
        text = body.get("code")
        if not text:
            return refusal(40029, "invalid code")
        code = self.codes.setdefault(text, Code())
        code.calls += 1
        appid = self.tokens.get(token)
        if appid is None:
            return refusal(40001, "invalid credential, access_token is invalid or not latest")
        if text.startswith("sandbox-minute-limit-"):
            return refusal(45011, "api minute-quota reach limit, must slower, retry next minute")
        if text.startswith("sandbox-expired-") or code.numbers > 0:
            return refusal(40029, "invalid code")
        if text.startswith("sandbox-token-expired-") and code.refused_token in ("", token):
            code.refused_token = token
            if self.current.get(appid, ("", 0))[0] == token:
                del self.current[appid]  # the next one asked for is new; for other codes this one stays good
            return refusal(42001, "access_token expired")
        code.numbers += 1
        if text.startswith("sandbox-reset-"):
            raise LoseAnswer
        return {
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": number_of(text),
                "purePhoneNumber": number_of(text),
                "countryCode": "86",
                "watermark": {"timestamp": int(time.time()), "appid": appid},
            },
        }

    def answer(self, method, target, body):
        """The status and the JSON of one request on the port of WeChat."""
        url = urllib.parse.urlsplit(target)
        if method != "POST":
            return 200, refusal(43002, "require POST method")
        try:
            parsed = json.loads(body)
        except ValueError:
            return 200, refusal(47001, "data format error")
        if url.path == "/cgi-bin/stable_token":
            return 200, self.stable_token(parsed)
        if url.path == "/cgi-bin/openapi/quota/get":
            return 200, {"errcode": 0, "errmsg": "ok", "quota": {"daily_limit": 0, "used": 0, "remain": 0}}
        if url.path == "/wxa/business/getuserphonenumber":
            token = urllib.parse.parse_qs(url.query).get("access_token", [""])[0]
            return 200, self.phone_number(token, parsed)
        return 404, {}

    def journal(self, method, target, body):
        limit = int(urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)["limit"][0])
        newest = list(self.codes.items())[max(0, len(self.codes) - limit):]
        return 200, {"codes": [{"code": text, "calls": c.calls, "numbers": c.numbers} for text, c in newest]}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, one request after the other."""

    def __init__(self, answer):
        self.answer = answer
        self.unread = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.unread += data
        try:
            while not self.transport.is_closing() and self.take_request():
                pass
        except Exception:
            traceback.print_exc()
            os._exit(1)  # a witness that cannot follow is none, and its absence is noticed

    def take_request(self):
        """Answers the first request of what came; False when it has not come whole."""
        head, blank, rest = self.unread.partition(b"\r\n\r\n")
        if not blank:
            return False
        request_line, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(fields.get("content-length", 0))
        if len(rest) < length:
            return False
        self.unread = rest[length:]
        method, target, _ = request_line.split(" ")
        try:
            status, answer = self.answer(method, target, rest[:length])
        except LoseAnswer:
            self.transport.abort()
            return False
        self.write(status, json.dumps(answer, separators=(",", ":")).encode())
        if fields.get("connection", "").lower() == "close":
            self.transport.close()
        return True

    def write(self, status, body):
        head = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not Found'}\r\n"
            f"Date: {email.utils.formatdate(usegmt=True)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


def make_certificate(ca_out):
    """A certificate for 127.0.0.1 that is its own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "certificate.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=witness", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )
        context.load_cert_chain(certificate, key)
        pathlib.Path(ca_out).write_bytes(certificate.read_bytes())
    return context


async def listen(name, answer, tls):
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(answer), "127.0.0.1", 0, ssl=tls, backlog=1024)
    address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    print(json.dumps({"msg": "listening", "listener": name, "address": address}), file=sys.stderr, flush=True)
    return server


async def serve(ca_out):
    wechat = WeChat()
    servers = [await listen("wechat", wechat.answer, make_certificate(ca_out)),
               await listen("journal", wechat.journal, None)]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca-out", required=True)
    asyncio.run(serve(parser.parse_args().ca_out))
