"""The servers that are compared, and the stand-in for WeChat behind them all."""
import os
import pathlib
import shutil
import time
import urllib.request

from processes import LOAD_CPU, SERVER_CPU, BenchError, Child, free_port, run

APPID = "wx0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"
ACCESS_TOKEN = "81_" + "ACCESSTOKEN0" * 11  # as long as WeChat's usually are
UPSTREAM_DELAY_S = 0.05
START_S_MAX = 60

# Any number of requests of one address or user; the limits are counted all the same.
ONETAP_LIMITS = {"ONETAP_RATE_IP": "1000000/60", "ONETAP_RATE_USER": "1000000/60",
                 "ONETAP_RATE_GLOBAL": "1000000/60"}

NGINX_COMMON = """\
daemon off;
%(user)s
pid %(folder)s/%(name)s.pid;
error_log %(folder)s/%(name)s.log warn;
worker_processes 1;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
"""

NGINX_HTTP = """\
  access_log off;
  client_body_temp_path %(folder)s/%(name)s-body;
  proxy_temp_path %(folder)s/%(name)s-proxy;
  fastcgi_temp_path %(folder)s/%(name)s-fastcgi;
  uwsgi_temp_path %(folder)s/%(name)s-uwsgi;
  scgi_temp_path %(folder)s/%(name)s-scgi;
  default_type application/json;
  ssl_certificate %(folder)s/cert.pem;
  ssl_certificate_key %(folder)s/key.pem;
  ssl_protocols TLSv1.3;
"""

UPSTREAM_SERVER = """\
  server {
    listen 127.0.0.1:%(port)d ssl;
    keepalive_requests 1000000;
    location = /wxa/business/getuserphonenumber { %(phone)s }
    location = /phone { internal; return 200 '%(number)s'; }
    location = /cgi-bin/token { return 200 '{"access_token":"%(token)s","expires_in":7200}'; }
    location = /cgi-bin/stable_token { return 200 '{"access_token":"%(token)s","expires_in":7200}'; }
    location = /sns/jscode2session {
      return 200 '{"session_key":"MDEyMzQ1Njc4OWFiY2RlZg==","openid":"o$arg_js_code"}';
    }
    location / { return 200 '{"errcode":0,"errmsg":"ok","detailList":[],"total":0,"averageData":0}'; }
  }
"""

PROXY_SERVER = """\
  upstream wechat { server 127.0.0.1:%(upstream)d; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:%(port)d ssl;
    location = /healthz { return 200 '{"status":"ok"}'; }
    location = /phone/consume {
      proxy_pass https://wechat/wxa/business/getuserphonenumber?access_token=%(token)s;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate %(folder)s/cert.pem;
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
    }
  }
"""


def make_certificate(folder: pathlib.Path) -> None:
    """One for everybody here: of 127.0.0.1 and localhost, ECDSA P-256."""
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")], 20)


def start_nginx(name: str, cpu: int, folder: pathlib.Path, modules: str, http: str) -> Child:
    names = {"folder": folder, "name": name, "user": "user root;" if os.geteuid() == 0 else ""}
    configuration = folder / (name + ".conf")
    configuration.write_text(modules + NGINX_COMMON % names + "http {\n" + NGINX_HTTP % names + http + "}\n")
    return Child(name, ["nginx", "-e", str(folder / (name + ".log")), "-p", str(folder), "-c", str(configuration)],
                 cpu, folder)


class Upstream:
    """WeChat's stand-in: nginx, whose answers are ready, at one port at once and at another one after 50 ms."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.ports = {False: free_port(), True: free_port()}
        # The watermark must be fresh: so this is started anew for each measurement.
        number = ('{"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"13800138000","purePhoneNumber":"13800138000",'
                  '"countryCode":"86","watermark":{"timestamp":%d,"appid":"%s"}}}' % (time.time(), APPID))
        ways = {False: "return 200 '%s';" % number,
                True: "echo_sleep %s; echo_exec /phone;" % UPSTREAM_DELAY_S}
        servers = [UPSTREAM_SERVER % {"port": port, "phone": ways[slow], "number": number, "token": ACCESS_TOKEN}
                   for slow, port in self.ports.items()]
        module = "load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;\n"
        self.child = start_nginx("upstream", LOAD_CPU, folder, module, "".join(servers))
        for port in self.ports.values():
            self.child.await_port(port)


class Server:
    """One that is measured."""

    name = ""
    checks_signatures = False

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port

    def stop(self) -> None:
        self.child.stop()


class Onetap(Server):
    """Everything on: signature level, rate limits, metrics, log at info, sealed numbers, the full ledger."""

    name = "onetap"
    checks_signatures = True

    def __init__(self, folder: pathlib.Path, upstream_port: int, further: dict[str, str] | None = None) -> None:
        port, self.operator_port = free_port(), free_port()
        binary = os.environ["ONETAP_BINARY"]
        environment = {"APPID": APPID, "SECRET": SECRET, "ONETAP_LISTEN": "127.0.0.1:%d" % port,
                       "ONETAP_ADMIN_LISTEN": "127.0.0.1:%d" % self.operator_port,
                       "ONETAP_TLS_CERT": str(folder / "cert.pem"), "ONETAP_TLS_KEY": str(folder / "key.pem"),
                       "ONETAP_DB": str(folder / "onetap.db"), "ONETAP_WECHAT_CA": str(folder / "cert.pem"),
                       "ONETAP_WECHAT_URL": "https://localhost:%d" % upstream_port, "ONETAP_VERIFY": "signature",
                       "ONETAP_LOG_LEVEL": "info", **ONETAP_LIMITS, **(further or {})}
        began = time.monotonic()
        super().__init__(Child("onetap", [binary, "serve"], SERVER_CPU, folder, environment), port)
        self.ready_s = self.await_ready(began)

    def await_ready(self, began: float) -> float:
        while time.monotonic() < began + START_S_MAX:
            self.child.check()
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/readyz" % self.operator_port, timeout=5):
                    return time.monotonic() - began
            except OSError:  # not listening yet, or 503
                time.sleep(0.002)
        raise BenchError("onetap does not get ready; see %s" % self.child.log)

    def figures(self) -> dict[str, float]:
        """Its own metrics, those without labels and those with, by their whole name."""
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.operator_port, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


class NginxProxy(Server):
    """nginx that passes the same request on, from TLS to TLS, and verifies whom it speaks to."""

    name = "nginx"

    def __init__(self, folder: pathlib.Path, upstream_port: int) -> None:
        port = free_port()
        http = PROXY_SERVER % {"port": port, "upstream": upstream_port, "token": ACCESS_TOKEN, "folder": folder}
        super().__init__(start_nginx("nginx", SERVER_CPU, folder, "", http), port)
        self.child.await_port(port)


class SeedStack(Server):
    """Node.js, express, axios and SQLite, a commit for each step of a request."""

    name = "seed"
    commit = "each"

    def __init__(self, folder: pathlib.Path, upstream_port: int) -> None:
        port = free_port()
        environment = {"PORT": str(port), "CERT": str(folder / "cert.pem"), "KEY": str(folder / "key.pem"),
                       "DB": str(folder / "seed.db"), "WECHAT": "https://localhost:%d" % upstream_port,
                       "COMMIT": self.commit, "APPID": APPID, "SECRET": SECRET, "NODE_ENV": "production"}
        script = pathlib.Path(__file__).parent / "seed_stack" / "server.js"
        super().__init__(Child(self.name, ["node", str(script)], SERVER_CPU, folder, environment), port)
        self.child.await_port(port)


class SeedStackGroup(SeedStack):
    """The same; what waits for the disk shares a commit."""

    name = "seed-group"
    commit = "group"


KINDS: dict[str, type[Server]] = {kind.name: kind for kind in (Onetap, NginxProxy, SeedStackGroup, SeedStack)}


def fresh_folder(folder: pathlib.Path) -> pathlib.Path:
    """An empty one with nothing but the certificate."""
    kept = [(name, (folder / name).read_bytes()) for name in ("cert.pem", "key.pem") if (folder / name).exists()]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in kept:
        (folder / name).write_bytes(content)
    if not kept:
        make_certificate(folder)
    return folder
