import https from 'node:https';
import { FakeWx, type Sent } from './fake_wx';

type Request = Parameters<FakeWx['request']>[0];

/** `wx` whose requests are real, over TLS that trusts each server's own authority and nothing else. */
export class WxOverHttps extends FakeWx {
  /** What a server's certificate must lead to, by its URL. */
  private readonly trusted = new Map<string, Buffer>();
  /** Of the answers to a path, so many reach the server and get lost on their way back. */
  readonly repliesToLose = new Map<string, number>();
  /** Who holds the phone; wx.login's code names the user before "--". */
  user = 'li';
  readonly jsCodes: string[] = [];

  trust(url: string, ca: Buffer): void {
    this.trusted.set(url, ca);
  }

  override login({ success }: { success?: (result: { code: string }) => void }): void {
    this.logins += 1;
    const code = `${this.user}--${this.logins}`;
    this.jsCodes.push(code);
    success?.({ code });
  }

  override request(options: Request): void {
    const url = new URL(options.url);
    const sent: Sent = {
      method: options.method,
      path: url.pathname,
      url: options.url,
      headers: options.header ?? {},
      body: {},
      data: typeof options.data === 'object' ? JSON.stringify(options.data) : (options.data ?? ''),
      timeout: options.timeout,
    };
    this.sent.push(sent);
    const headers: { [name: string]: string | number } = {
      'content-type': 'application/json',
      ...sent.headers,
      Referer: 'https://servicewechat.com/wxsandbox000000000/42/page-frame.html',
    };
    if (sent.data) headers['Content-Length'] = Buffer.byteLength(sent.data);
    const ca = this.trusted.get(url.origin);
    if (!ca) throw new Error(`nobody said what ${url.origin} has to show`);
    const request = https.request(
      options.url,
      { method: options.method, headers, ca, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => {
          const toLose = this.repliesToLose.get(url.pathname) ?? 0;
          if (toLose > 0) {
            this.repliesToLose.set(url.pathname, toLose - 1);
            options.fail?.({ errMsg: 'request:fail' });
            return;
          }
          const text = Buffer.concat(chunks).toString();
          options.success?.({
            statusCode: answer.statusCode ?? 0,
            data: parsed(text),
            header: answer.headers,
          });
        });
      },
    );
    request.setTimeout(options.timeout ?? 60_000, () => request.destroy(new Error('timeout')));
    request.on('error', ({ message }) => options.fail?.({ errMsg: `request:fail ${message}` }));
    request.end(sent.data);
  }
}

/** wx.request's dataType "json": parsed where it can be. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
