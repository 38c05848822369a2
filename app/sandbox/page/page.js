// The drawn phone. What its button yields is exchanged by the very routes that a mini program calls.

const words = {
  zh: {
    intro: "这里的微信是替身：不用开发者工具，也能看到一次点按如何变成一个号码、一次扣费、一行账。",
    phone: "手机", shop: "示例商城", card: "登录", cardText: "一次点按，免短信验证码",
    tap: "一键获取手机号", sheetTitle: "申请获取并验证你的手机号", sheetNote: "微信绑定号码",
    deny: "不允许", allow: "允许",
    choose: "微信怎么应答？", same: "同一页面再交一次同一 code", stranger: "陌生人也交这个 code",
    exchange: "这次换取", ledger: "账本", nothingYet: "点手机上的按钮。", dashboard: "打开看板 →",
    waiting: "换取中…", denied: "用户拒绝：没有 code，不扣费", noQuota: "当前额度不足",
    pagePaths: "只在页面上发生", serverPaths: "微信对 code 的应答",
    pathDeny: "用户点“不允许”", pathQuota: "额度不足，errno 1400001",
    noteDeny: "回调里没有 code，微信不扣费，服务器收不到请求。",
    noteQuota: "按钮在弹窗之前就失败：没有 code，不扣费。",
    callback: "页面回调", asksWechat: "onetap → 微信", answersPage: "onetap → 页面", asksServer: "页面 → onetap",
    charged: "得到 code：微信在此刻扣一份额度", noCall: "这一次没有调用微信",
    callbackOf: (error) => `没有 code：${error}`, numberFound: "查到号码", replayed: "重放：微信没有再被调用",
    stranger_: "（另一个调用者）", other: "English", failed: "沙盒没有应答",
    state: { ok: "成功", rejected: "无效", retryable: "可重试", in_doubt: "存疑", lost: "已损失", free: "未扣费", sending: "发送中" },
    columns: { id: "编号", created_at: "时间", kind: "组件", state: "状态", phone_mask: "号码", errcode: "errcode", attempts: "次数" },
  },
  en: {
    intro: "WeChat is a stand-in here: see how one tap becomes one number, one unit and one row, without the developer tools.",
    phone: "Phone", shop: "Sample shop", card: "Sign in", cardText: "One tap, no text message",
    tap: "Use my phone number", sheetTitle: "wants to get and verify your phone number", sheetNote: "WeChat's number",
    deny: "Don't allow", allow: "Allow",
    choose: "How does WeChat answer?", same: "Same page, same code again", stranger: "A stranger with this code",
    exchange: "This exchange", ledger: "Ledger", nothingYet: "Tap the phone's button.", dashboard: "Open the dashboard →",
    waiting: "Exchanging…", denied: "The user said no: no code, no charge", noQuota: "当前额度不足 (no quota)",
    pagePaths: "On the page only", serverPaths: "WeChat's answer to the code",
    pathDeny: "the user taps “Don't allow”", pathQuota: "no quota, errno 1400001",
    noteDeny: "The callback has no code, WeChat charges nothing, the server hears nothing.",
    noteQuota: "The button fails before the dialog: no code, no charge.",
    callback: "Page's callback", asksWechat: "onetap → WeChat", answersPage: "onetap → page", asksServer: "Page → onetap",
    charged: "There is a code: WeChat charges one unit now", noCall: "WeChat was not called this time",
    callbackOf: (error) => `no code: ${error}`, numberFound: "a number was found", replayed: "replayed: WeChat was not called again",
    stranger_: " (another caller)", other: "中文", failed: "The sandbox does not answer",
    state: { ok: "ok", rejected: "rejected", retryable: "retryable", in_doubt: "in doubt", lost: "lost", free: "free", sending: "sending" },
    columns: { id: "id", created_at: "time", kind: "kind", state: "state", phone_mask: "number", errcode: "errcode", attempts: "attempts" },
  },
};

const at = (id) => document.getElementById(id);
const caller = `page-${crypto.randomUUID()}`;
const stranger = `stranger-${crypto.randomUUID()}`;
const pagePaths = { "page-deny": ["pathDeny", "noteDeny"], "page-quota": ["pathQuota", "noteQuota"] };
let language = navigator.language.startsWith("zh") ? "zh" : "en";
let lines = [];         // the table of test codes
let last = null;        // {code, calls}: the code presented last, and how many calls it had made
let seen = new Set();   // rows that were there
let shown = null;       // shows the last exchange once more

const say = (name) => words[language][name];

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function ask(path, body) {
  const headers = { "Accept-Language": language, "Content-Type": "application/json" };
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(path, { cache: "no-store", headers, ...options });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? String(response.status));
  return answer;
}

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = say(each.dataset.text);
  at("language").textContent = say("other");
  const chosen = at("path").value;
  const group = (name, options) => {
    const made = document.createElement("optgroup");
    made.label = say(name);
    for (const [value, text] of options) made.append(new Option(text, value));
    return made;
  };
  at("path").replaceChildren(
    group("serverPaths", lines.map((line) => [line.code, `${line.code.replace("sandbox-", "")} · ${line[language]}`])),
    group("pagePaths", Object.entries(pagePaths).map(([value, [text]]) => [value, say(text)])));
  if (chosen) at("path").value = chosen;
  describePath();
  at("columns").replaceChildren(...Object.values(say("columns")).map((text) => element("th", "", text)));
}

function describePath() {
  const onPage = pagePaths[at("path").value];
  const line = lines.find((each) => each.code === at("path").value);
  at("path-note").textContent = onPage ? say(onPage[1]) : line?.[language] ?? "";
}

function show(text, className = "") {
  at("result").className = `result ${className}`;
  at("result").textContent = text;
}

function toast(text) {
  at("toast").textContent = text;
  at("toast").hidden = false;
  setTimeout(() => { at("toast").hidden = true; }, 2200);
}

function step(list, tone, who, what, note, details) {
  const item = element("li", tone);
  const head = element("div", "step-head");
  head.append(element("span", "step-who", who), element("span", "step-what", what));
  if (note) head.append(element("span", "step-note", note));
  item.append(head);
  if (details !== undefined) item.append(element("pre", "", JSON.stringify(details, null, 2)));
  list.push(item);
}

const toneOf = (status, code) => status === 200 ? "good" : code === "OUTCOME_UNKNOWN" ? "doubt" : "bad";

function showExchange(answer, fresh, isCallback, isStranger) {
  shown = () => showExchange(answer, fresh, isCallback, isStranger);
  const steps = [];
  const { request, response } = answer;
  if (isCallback) step(steps, "good", say("callback"), "getPhoneNumber:ok", say("charged"), { code: request.body.code });
  step(steps, "", say("asksServer"), `${request.method} ${request.path}`, isStranger ? say("stranger_") : "");
  for (const call of fresh) {
    const result = call.producedNumber ? say("numberFound") : call.errcode === undefined ? `HTTP ${call.status}` : `errcode ${call.errcode}`;
    step(steps, call.producedNumber ? "good" : "bad", say("asksWechat"), call.path, result);
  }
  const replayed = response.headers["Idempotent-Replayed"] === "true";
  if (fresh.length === 0) step(steps, "", say("asksWechat"), "–", replayed ? say("replayed") : say("noCall"));
  const code = response.body.code;
  step(steps, toneOf(response.status, code), say("answersPage"), `${response.status}${code ? ` ${code}` : ""}`,
    response.body.charged ? `charged: ${response.body.charged}, retry: ${response.body.retry}` : "", response.body);
  at("exchange").replaceChildren(...steps);
  if (response.status === 200) show(response.body.phoneNumber, "number");
  else show(response.body.detail ?? code, "bad");
}

function showNoCode(error) {
  shown = () => showNoCode(error);
  const steps = [];
  step(steps, "bad", say("callback"), error, say("callbackOf")(error));
  at("exchange").replaceChildren(...steps);
}

function lock(isLocked) {
  at("tap").disabled = isLocked;
  for (const button of [at("same"), at("stranger")]) button.disabled = isLocked || last === null;
}

async function present(who, isCallback) {
  lock(true);
  show(say("waiting"));
  try {
    const answer = await ask("/sandbox/present", { code: last.code, caller: who });
    showExchange(answer, answer.wechat.slice(last.calls), isCallback, who === stranger);
    last.calls = answer.wechat.length;
  } catch (error) {
    show(`${say("failed")}: ${error.message}`, "bad");
  }
  lock(false);
  await showLedger().catch(() => {});
}

async function allow() {
  at("sheet").hidden = true;
  if (at("path").value === "page-deny") return deny();
  lock(true);
  try {
    const { code } = await ask("/sandbox/tap", { testCode: at("path").value });
    last = { code, calls: 0 };
  } catch (error) {
    lock(false);
    return show(`${say("failed")}: ${error.message}`, "bad");
  }
  return present(caller, true);
}

function deny() {
  at("sheet").hidden = true;
  at("tap").focus();
  show(say("denied"));
  showNoCode("getPhoneNumber:fail user deny");
}

function tap() {
  if (at("path").value === "page-quota") {
    toast(say("noQuota"));
    show(say("noQuota"), "bad");
    return showNoCode("getPhoneNumber:fail, errno 1400001");
  }
  at("sheet").hidden = false;
  at("allow").focus();
}

const toneOfState = { ok: "good", in_doubt: "doubt", rejected: "bad", lost: "bad" };

function cell(row, column) {
  if (column === "state") return element("td", `state ${toneOfState[row.state] ?? ""}`, words[language].state[row.state] ?? row.state);
  const text = column === "created_at" ? new Date(row.created_at).toLocaleTimeString(language) : row[column] ?? "–";
  return element("td", "", String(text));
}

async function showLedger() {
  const { consumptions } = await ask("/api/consumptions?limit=12");
  at("rows").replaceChildren(...consumptions.map((row) => {
    const mark = `${row.id}/${row.state}`;
    const made = element("tr", seen.size > 0 && !seen.has(mark) ? "new" : "");
    made.append(...Object.keys(say("columns")).map((column) => cell(row, column)));
    return made;
  }));
  seen = new Set(["", ...consumptions.map((row) => `${row.id}/${row.state}`)]);
}

at("tap").addEventListener("click", tap);
at("allow").addEventListener("click", allow);
at("deny").addEventListener("click", deny);
at("same").addEventListener("click", () => present(caller, false));
at("stranger").addEventListener("click", () => present(stranger, false));
at("path").addEventListener("change", describePath);
at("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  translate();
  shown?.();
  showLedger().catch(() => {});
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !at("sheet").hidden) deny(); });

lines = await ask("/sandbox/paths");
translate();
await showLedger();
setInterval(() => { showLedger().catch(() => {}); }, 5000);
