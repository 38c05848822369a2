// What WeChat's button may bring, as its real callbacks look. `outcome` is what phone-button makes of it.
const ok = 'getPhoneNumber:ok';

/** Codes of the sandbox (docs/sandbox.md), each good once: something is appended for each tap. */
const codes = [
  ['sandbox-ok', '同意 · a number'],
  ['sandbox-expired', 'code 已过期 · expired code'],
  ['sandbox-token-expired', 'token 途中过期 · token dies under way'],
  ['sandbox-no-quota', '服务端额度不足 · no quota, told by the server'],
  ['sandbox-minute-limit', '微信限流 · WeChat limits; the same code later'],
  ['sandbox-unauthorized', '服务配置有误 · misconfigured; the same code later'],
  ['sandbox-reset', '微信应答丢失 · WeChat’s answer lost, in doubt'],
  ['sandbox-slow', '微信超时 · WeChat too slow, in doubt'],
  ['sandbox-foreign', '水印不符 · foreign watermark'],
  ['sandbox-abroad', '境外号码 · a number of +852'],
].map(([code, title]) => ({ id: code, title, outcome: 'code', code, detail: { errMsg: ok } }));

const others = [
  ['deny', '拒绝 · declines', 'denied', { errMsg: 'getPhoneNumber:fail user deny' }],
  ['deny-android', '拒绝（Android）', 'denied', { errMsg: 'getPhoneNumber:fail:user deny' }],
  ['deny-old', '拒绝（旧版）', 'denied', { errMsg: 'getPhoneNumber:user deny' }],
  [
    'no-quota',
    '额度不足 · no quota, errno 1400001',
    'no_quota',
    { errMsg: 'getPhoneNumber:fail no enough quota', errno: 1400001 },
  ],
  [
    'privacy-103',
    '拒绝隐私指引 · privacy 103',
    'privacy',
    { errMsg: 'getPhoneNumber:fail privacy permission is denied', errno: 103 },
  ],
  [
    'privacy-104',
    '未同意隐私指引 · privacy 104',
    'privacy',
    { errMsg: 'getPhoneNumber:fail privacy permission is not authorized', errno: 104 },
  ],
  [
    'privacy-112',
    '隐私指引未声明 · privacy 112',
    'privacy',
    { errMsg: 'getPhoneNumber:fail api scope is not declared in the privacy agreement', errno: 112 },
  ],
  ['permission', '无权限 · no permission', 'permission', { errMsg: 'getPhoneNumber:fail no permission' }],
  ['timeout', '对话框超时 · dialog timed out', 'failed', { errMsg: 'getPhoneNumber:fail time out' }],
].map(([id, title, outcome, detail]) => ({ id, title, outcome, detail }));

const old = {
  id: 'old',
  title: '旧基础库 · old base library, encryptedData',
  outcome: 'encrypted',
  detail: { errMsg: ok },
};
const real = { id: 'real', title: '真实按钮 · WeChat’s own dialog' };

module.exports = { paths: [...codes, ...others, old, real] };
