import type { Language, LocalProblemCode, Problem, Retry } from './types';

/** By problem code (the server's or ours), or by the name of a text; what the page gives goes first. */
export type Messages = { [codeOrText: string]: string };

export type Text =
  | 'QUOTA_EXHAUSTED'
  | 'QUOTA_SERVICE'
  | 'OFFLINE'
  | 'FALLBACK'
  | 'LABEL'
  | 'DENIED'
  | 'PRIVACY'
  | 'PERMISSION';

const sentences: { [key in Text | LocalProblemCode]: [chinese: string, english: string] } = {
  QUOTA_EXHAUSTED: ['当前额度不足', 'The quota is used up'],
  QUOTA_SERVICE: ['服务繁忙，请稍后再试', 'The service is busy, please try again in a moment'],
  OFFLINE: ['网络异常，点击重试', 'No connection, tap to try again'],
  FALLBACK: ['使用短信验证码', 'Use a text message instead'],
  LABEL: ['一键获取手机号', 'Get my phone number'],
  DENIED: ['未授权手机号', 'The phone number was not shared'],
  PRIVACY: ['请先同意隐私保护指引', 'Please agree to the privacy guide first'],
  PERMISSION: ['暂时无法获取手机号', 'The phone number is not available here'],
  NO_SERVER: ['服务端异常', 'Something went wrong on our side'],
  NETWORK_LOST: ['网络异常，请重新点击', 'No connection, please tap again'],
  LOGIN_FAILED: ['登录失败，请重试', 'The login failed, please try again'],
  CODE_TOO_OLD: ['授权已过期，请重新点击', 'The authorisation has expired, please tap again'],
  UNSUPPORTED: ['微信版本过低，请升级微信', 'This version of WeChat is too old'],
  DIALOG_FAILED: ['获取失败，请重新点击', 'That did not work, please tap again'],
};

export function text(name: Text | LocalProblemCode, lang: Language, messages?: Messages | null): string {
  return messages?.[name] || sentences[name][lang === 'en' ? 1 : 0];
}

/** A refusal that no server made. */
export function localProblem(code: LocalProblemCode, lang: Language, retry: Retry = 'new_code'): Problem {
  return { code, detail: text(code, lang), retry };
}

/** The page's sentence for it, else the server's. */
export function reworded(problem: Problem, messages?: Messages | null): Problem {
  const own = messages?.[problem.code];
  return own ? { ...problem, detail: own } : problem;
}

/** Chinese unless the phone speaks English. */
export function languageOfPhone(): Language {
  try {
    const info = typeof wx.getAppBaseInfo === 'function' ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
    return /^en/i.test(info.language) ? 'en' : 'zh';
  } catch {
    return 'zh';
  }
}
