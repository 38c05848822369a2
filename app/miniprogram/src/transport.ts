import type { Problem, Retry } from './types';

/** An HTTP answer, whatever its status; wx.request calls `success` for each. */
export interface Answer {
  status: number;
  /** The JSON object; empty where there was none. */
  body: { [key: string]: unknown };
  /** Seconds; undefined without the field. */
  retryAfterS?: number;
  replayed: boolean;
}

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  body: string;
  headers: { [name: string]: string };
}

// The server answers within 4.5 s (WeChat's 3 s included); a duplicate waits for the first as long.
const patienceMs = 10000;

function field(headers: object | undefined, name: string): string | undefined {
  const all = (headers || {}) as { [name: string]: unknown };
  for (const key of Object.keys(all)) {
    if (key.toLowerCase() === name) return String(all[key]);
  }
  return undefined;
}

function objectIn(data: unknown): Answer['body'] {
  let value = data;
  if (typeof data === 'string') {
    try {
      value = JSON.parse(data);
    } catch {
      return {};
    }
  }
  return value && typeof value === 'object' ? (value as Answer['body']) : {};
}

/** Resolves with undefined where there was no answer: no network, a timeout, the app in the background. */
export function send(request: HttpRequest): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    wx.request({
      url: request.url,
      method: request.method,
      header: request.headers,
      ...(request.method === 'POST' && { data: request.body }),
      timeout: patienceMs,
      success: ({ statusCode, data, header }) => {
        const retryAfterS = Number.parseInt(field(header, 'retry-after') || '', 10);
        resolve({
          status: statusCode,
          body: objectIn(data),
          ...(retryAfterS >= 0 && { retryAfterS }),
          replayed: field(header, 'idempotent-replayed') === 'true',
        });
      },
      fail: ({ errMsg }) => {
        if (/domain list|legal domain/i.test(errMsg || '')) {
          console.error(`onetap: ${request.url} is not a request domain of this mini program (${errMsg})`);
        }
        resolve(undefined);
      },
    });
  });
}

const retries: Retry[] = ['same_code', 'new_code', 'later', 'login', 'never'];

/** The server's problem; undefined where the answer is none of its own (a gateway's page, a hotel's portal). */
export function problemIn({ status, body, retryAfterS }: Answer): Problem | undefined {
  if (typeof body.code !== 'string' || typeof body.detail !== 'string') return undefined;
  if (retries.indexOf(body.retry as Retry) < 0) return undefined;
  return { ...body, status, ...(retryAfterS !== undefined && { retryAfterS }) } as unknown as Problem;
}
