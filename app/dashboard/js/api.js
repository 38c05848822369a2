// Speaks to this server alone. The token is kept for this tab only, and goes along with each question.

const key = "onetap-operator-token";
let wantToken = () => {};

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** `ask` is called when the server wants a token, or another one. */
export function onTokenWanted(ask) { wantToken = ask; }
export function useToken(token) { sessionStorage.setItem(key, token); }

/** Status and body; status 0 is no answer. */
async function exchange(path, options) {
  try {
    const response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    return { ok: response.ok, status: response.status, body: text === "" ? {} : JSON.parse(text) };
  } catch (error) {
    throw new ApiError(0, String(error.message));
  }
}

async function request(path, options = {}) {
  const token = sessionStorage.getItem(key);
  const headers = { Accept: "application/json", ...options.headers };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  const { ok, status, body } = await exchange(path, { ...options, headers });
  if (status === 401) wantToken(token !== null);
  if (!ok) throw new ApiError(status, body.detail ?? body.title ?? String(status));
  return body;
}

export const get = (path) => request(path);
export const post = (path, body) => request(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});
