// A sandbox WeChat and an onetap server on free loopback ports, with a history to show; and Chromium to look at it.

import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

import { historySql, packs } from "./history.mjs";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
const binary = process.env.ONETAP_BINARY ?? join(repository, "build/release/onetap");
export const appid = "wx8f2a6c1b0e7d4935";

/** Resolves to the address of `listener`; the rest of the log is kept for when something fails. */
async function listening(child, listeners, lines) {
  const found = {};
  const reader = createInterface({ input: child.stderr });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`it does not listen:\n${lines.join("\n")}`)), 30_000);
    child.once("exit", (status) => reject(new Error(`it ended with ${status}:\n${lines.join("\n")}`)));
    reader.on("line", (line) => {
      lines.push(line);
      if (!line.includes('"msg":"listening"')) return;
      const { listener, address } = JSON.parse(line);
      found[listener] = address;
      if (!listeners.every((each) => found[each])) return;
      clearTimeout(late);
      resolve(found);
    });
  });
}

export class Stage {
  folder = mkdtempSync(join(tmpdir(), "onetap-dashboard-"));
  database = join(this.folder, "onetap.db");
  children = new Set();
  lines = [];

  async start(name, listeners, args, env = {}) {
    const child = spawn(binary, args, { cwd: this.folder, env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "ignore", "pipe"] });
    this.children.add(child);
    child.once("exit", () => this.children.delete(child));
    return { child, ...(await listening(child, listeners, this.lines)) };
  }

  async end(child) {
    if (!this.children.has(child)) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }

  async close() {
    for (const child of [...this.children]) await this.end(child);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async startSandbox() {
    this.sandboxCa = join(this.folder, "sandbox-ca.pem");
    this.sandbox = await this.start("sandbox", ["sandbox"], ["sandbox", "--listen", "127.0.0.1:0", "--ca-out", this.sandboxCa]);
  }

  async setPacks(kind, list, average) {
    await post(`https://${this.sandbox.sandbox}/sandbox/packs`, { kind, packs: list, ...(average ? { average } : {}) },
      { ca: readFileSync(this.sandboxCa) });
  }

  makeCertificate() {
    this.certificate = join(this.folder, "server.pem");
    this.key = join(this.folder, "server.key");
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "87",
      "-subj", "/CN=api.example.com", "-addext", "subjectAltName=DNS:api.example.com,IP:127.0.0.1",
      "-keyout", this.key, "-out", this.certificate], { stdio: "ignore" });
  }

  async startServer(env = {}) {
    if (!this.certificate) this.makeCertificate();
    this.server = await this.start("server", ["operator", "public"], ["serve"], {
      APPID: appid, SECRET: "of-the-sandbox", ONETAP_DB: this.database, ONETAP_VERIFY: "origin",
      ONETAP_LISTEN: "127.0.0.1:0", ONETAP_ADMIN_LISTEN: this.adminListen ?? "127.0.0.1:0", ONETAP_TLS_CERT: this.certificate,
      ONETAP_TLS_KEY: this.key, ONETAP_WECHAT_URL: `https://${this.sandbox.sandbox}`, ONETAP_WECHAT_CA: this.sandboxCa,
      ONETAP_WECHAT_TIMEOUT_MS: "1000", ONETAP_USAGE_POLL: "60", ...env,
    });
    this.adminListen = this.server.operator;  // so that it comes back where it was
    this.page = `http://${this.server.operator}/`;
  }

  /** A ledger with weeks behind it, and the server on it. */
  async startWithHistory() {
    await this.startSandbox();
    await this.setPacks("quick", []);
    await this.setPacks("realtime", []);
    await this.startServer();
    await this.end(this.server.child);
    const written = historySql(appid, Date.now());
    execFileSync("sqlite3", ["-bail", this.database], { input: written.sql, stdio: ["pipe", "pipe", "inherit"] });
    for (const kind of ["quick", "realtime"]) await this.setPacks(kind, packs(kind, written.used), kind === "quick" ? 5_800 : 820);
    await this.startServer();
  }

  /** What SQL says, through a reader of its own. */
  sql(query) {
    const text = execFileSync("sqlite3", ["-readonly", "-json", "-cmd", ".timeout 5000", this.database, query], { encoding: "utf8" });
    return text.trim() === "" ? [] : JSON.parse(text);
  }

  /** As a page of the mini program would. */
  async consume(code, body = {}) {
    return post(`https://${this.server.public}/phone/consume`, { code, scene: "login", ...body }, {
      ca: readFileSync(this.certificate),
      headers: { Referer: `https://servicewechat.com/${appid}/28/page-frame.html` },
    });
  }

  /** What the page tells of a tap and of the code that came of it. */
  tapWith(code, number) {
    const event = { kind: "quick", scene: "login", at: Math.floor(Date.now() / 1000) };
    const id = (what) => `${what}-of-this-picture-${String(number).padStart(4, "0")}`;
    return [{ ...event, id: id("tap"), type: "tap" },
      { ...event, id: id("issued"), type: "issued", codeDigest: createHash("sha256").update(code).digest("hex") }];
  }

  async tell(events) {
    return post(`https://${this.server.public}/phone/events`, { events }, {
      ca: readFileSync(this.certificate),
      headers: { Referer: `https://servicewechat.com/${appid}/28/page-frame.html` },
    });
  }

  async startBrowser() {
    this.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
  }

  /** A page as a person opens it; `seen` gathers what must not be: errors, and requests to elsewhere. */
  async open(options = {}, url = this.page) {
    const context = await this.browser.newContext({ locale: "zh-CN", timezoneId: "America/New_York",
      viewport: { width: 1440, height: 900 }, ...options });
    const page = await context.newPage();
    const seen = { errors: [], elsewhere: [] };
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) seen.errors.push(`${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== "data:" && origin !== new URL(url).origin) seen.elsewhere.push(request.url());
    });
    await page.goto(url);
    return { page, seen, context };
  }
}

/** JSON over TLS; the answer's status and body. */
export function post(url, body, { ca, headers = {} } = {}) {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method: "POST", ca, agent: false, timeout: 15_000,
      headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text), ...headers } },
    (response) => {
      let answer = "";
      response.setEncoding("utf8");
      response.on("data", (part) => { answer += part; });
      response.on("end", () => resolve({ status: response.statusCode, body: answer ? JSON.parse(answer) : {} }));
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.end(text);
  });
}
