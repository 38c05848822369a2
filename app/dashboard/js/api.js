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

async function request(path, options = {}) {
  const token = sessionStorage.getItem(key);
  const headers = { Accept: "application/json", ...options.headers };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  const patience = AbortSignal.timeout(10_000);
  const response = await fetch(path, { ...options, headers, cache: "no-store", signal: patience });
  const text = await response.text();
  const body = text === "" ? {} : JSON.parse(text);
  if (response.status === 401) wantToken(token !== null);
  if (!response.ok) throw new ApiError(response.status, body.detail ?? body.title ?? String(response.status));
  return body;
}

export const get = (path) => request(path);
export const post = (path, body) => request(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
});

const absent = new Set();

/** What this server may not have: null then, and it is not asked again. */
export async function getIfThere(path) {
  const name = path.split("?")[0];
  if (absent.has(name)) return null;
  try {
    return await get(path);
  } catch (error) {
    if (error.status === 404) absent.add(name);
    else if (error.status !== 503) throw error;
    return null;
  }
}
