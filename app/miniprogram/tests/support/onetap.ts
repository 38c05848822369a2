import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const repository = join(process.cwd(), '../..');
const binary = process.env.ONETAP_BINARY ?? join(repository, 'build/release/onetap');

/** The sandbox's one table of test codes. */
export function testCodes(): string[] {
  const table = execFileSync(binary, ['sandbox', '--codes', '--json'], { encoding: 'utf8' });
  return (JSON.parse(table) as { code: string }[]).map(({ code }) => code);
}

/** What docs/sandbox.md says that the page hears of a code: "422 `CODE_INVALID`". */
export function promisedAnswers(): Map<string, string> {
  const page = readFileSync(join(repository, 'docs/sandbox.md'), 'utf8');
  const rows = page.matchAll(/^\| `(sandbox-[a-z0-9-]+)` \| .*\| ([^|]+) \|$/gm);
  return new Map(Array.from(rows, ([, code = '', hears = '']) => [code, hears]));
}

/** A process of onetap's, with its log in a file. */
class Process {
  private child: ChildProcess | undefined;

  constructor(private readonly log: string) {}

  start(options: string[], environment: object = {}): void {
    rmSync(this.log, { force: true });
    const log = openSync(this.log, 'a');
    const env = { PATH: process.env.PATH, ...environment };
    this.child = spawn(binary, options, { stdio: ['ignore', 'ignore', log], env });
    closeSync(log);
  }

  /** Where it listens, once it does. */
  async address(listener: string): Promise<string> {
    for (let tries = 0; tries < 400; tries += 1) {
      const said = existsSync(this.log) ? readFileSync(this.log, 'utf8') : '';
      const found = new RegExp(`"listener":"${listener}","address":"([^"]+)"`).exec(said);
      if (found?.[1]) return found[1];
      if (this.child?.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`onetap did not start:\n${readFileSync(this.log, 'utf8')}`);
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
}

export type Row = { [column: string]: string | number | null };

/** A real onetap with a ledger of its own; its WeChat is the sandbox. */
export class Server {
  url = '';
  protected readonly folder = mkdtempSync(join(tmpdir(), 'onetap-page-'));
  protected readonly ledger = join(this.folder, 'ledger.db');
  protected readonly process = new Process(join(this.folder, 'log'));

  /** `onetap serve --sandbox`: one process. */
  static async start(level: 'origin' | 'signature' = 'signature'): Promise<Server> {
    const server = new Server();
    const listeners = ['--listen=127.0.0.1:0', '--admin-listen=127.0.0.1:0'];
    server.process.start(['serve', '--sandbox', `--verify=${level}`, ...listeners, `--db=${server.ledger}`]);
    server.url = `https://${await server.process.address('public')}`;
    return server;
  }

  /** What its clients have to trust. */
  get ca(): Buffer {
    return readFileSync(`${this.ledger}.ca.pem`);
  }

  async stop(): Promise<void> {
    await this.process.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Of the ledger, while the server runs. */
  async rows(sql: string): Promise<Row[]> {
    const { stdout } = await promisify(execFile)('sqlite3', ['-readonly', '-json', this.ledger, sql]);
    return stdout.trim() ? JSON.parse(stdout) : [];
  }
}

/** The sandbox in a process of its own, which can be told what a phone would do. */
export class ServerBesideWechat extends Server {
  private readonly wechat = new Process(join(this.folder, 'wechat-log'));
  private wechatUrl = '';
  private options: string[] = [];

  static override async start(): Promise<ServerBesideWechat> {
    const server = new ServerBesideWechat();
    const at = (name: string) => join(server.folder, name);
    server.wechat.start(['sandbox', '--listen=127.0.0.1:0', `--ca-out=${at('wechat.pem')}`]);
    server.wechatUrl = `https://${await server.wechat.address('sandbox')}`;
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    const files = ['-keyout', at('key.pem'), '-out', at('cert.pem')];
    await promisify(execFile)('openssl', ['req', '-x509', ...key, ...name, ...files]);
    const options = ['serve', '--admin-listen=127.0.0.1:0', `--db=${server.ledger}`];
    const wechat = [`--wechat-url=${server.wechatUrl}`, `--wechat-ca=${at('wechat.pem')}`];
    const tls = [`--tls-cert=${at('cert.pem')}`, `--tls-key=${at('key.pem')}`];
    server.options = [...options, ...wechat, ...tls, '--appid=wxsandbox000000000'];
    await server.begin('127.0.0.1:0');
    return server;
  }

  /** kill -9; then on the same ledger and port again. WeChat has noticed nothing. */
  async crash(): Promise<void> {
    await this.process.end('SIGKILL');
    await this.begin(new URL(this.url).host);
  }

  override get ca(): Buffer {
    return readFileSync(join(this.folder, 'cert.pem'));
  }

  override async stop(): Promise<void> {
    await this.wechat.end();
    await super.stop();
  }

  /** The sandbox's control surface. */
  async tell(path: string, body: object): Promise<{ [name: string]: unknown }> {
    return this.ask(path, JSON.stringify(body));
  }

  /** How often WeChat was asked for a number with this code, and how often it gave one. */
  async asked(codeDigest: string): Promise<{ calls: number; numbers: number }> {
    const { codes } = await this.ask(`/sandbox/journal?codeDigest=${codeDigest}`);
    const [{ calls, numbers } = { calls: 0, numbers: 0 }] = codes as { calls: number; numbers: number }[];
    return { calls, numbers };
  }

  private async begin(listen: string): Promise<void> {
    this.process.start([...this.options, `--listen=${listen}`], { SECRET: 'secret' });
    this.url = `https://${await this.process.address('public')}`;
  }

  private ask(path: string, body?: string): Promise<{ [name: string]: unknown }> {
    return new Promise((resolve, reject) => {
      const options = {
        method: body === undefined ? 'GET' : 'POST',
        ca: readFileSync(join(this.folder, 'wechat.pem')),
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body ?? '') },
      };
      const request = https.request(this.wechatUrl + path, options, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}
