// A code, exchanged by your own backend. Node 18 or newer, no packages.
//   ONETAP_URL=https://127.0.0.1:8443 ONETAP_SERVICE_TOKEN=… node node.mjs CODE OPENID
// NODE_EXTRA_CA_CERTS names a CA file where Node does not know the server's (the sandbox's).
const { ONETAP_URL, ONETAP_SERVICE_TOKEN } = process.env;
const pause = (seconds) => new Promise((resume) => setTimeout(resume, seconds * 1000));

/** The phone object, or the problem that says why there is none (its `retry` says what to do). */
export async function exchange(code, openid, { tries = 3 } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(`${ONETAP_URL}/phone/consume`, {
        method: 'POST',
        headers: { 'Authorization': `Bearer ${ONETAP_SERVICE_TOKEN}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ code, openid }),
        signal: AbortSignal.timeout(10_000),
      });
    } catch (lost) {
      // Nothing is lost with the line: the same code again is answered from the ledger.
      if (attempt === tries) throw lost;
      await pause(1);
      continue;
    }
    const body = await answer.json();
    const again = body.retry === 'same_code' && attempt < tries;
    if (!again) return { ok: answer.ok, ...body };
    await pause(Number(answer.headers.get('Retry-After') ?? 1));
  }
}

const [code, openid] = process.argv.slice(2);
if (code) {
  const result = await exchange(code, openid);
  console.log(JSON.stringify(result));
  process.exitCode = result.ok ? 0 : 1;
}
