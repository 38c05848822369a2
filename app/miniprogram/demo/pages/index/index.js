const { configure } = require('onetap-miniprogram');
const { lastJsCode, setFault } = require('../../faults');
const { paths } = require('../../paths');

const faults = [
  { id: 'none', title: '网络正常 · network as it is' },
  { id: 'lose_reply', title: '下一个应答丢失 · the next reply is lost' },
  { id: 'offline', title: '断网 · offline' },
];
const heardMax = 30;
let taps = 0;

/** What a phone of an old base library would have: the sandbox encrypts a number for the last login. */
function encryptedNumber(sandbox) {
  return new Promise((resolve, reject) => {
    wx.request({
      url: `${sandbox}/sandbox/codes`,
      method: 'POST',
      data: { jsCode: lastJsCode() },
      success: ({ data: { encryptedData, iv } }) =>
        encryptedData ? resolve({ encryptedData, iv }) : reject(new Error('the sandbox knows no such login')),
      fail: ({ errMsg }) => reject(new Error(errMsg)),
    });
  });
}

Page({
  data: {
    paths,
    faults,
    path: paths[0].id,
    fault: 'none',
    kind: 'quick',
    agreed: true,
    agreePrivacy: false,
    english: false,
    slots: false,
    shown: true,
    server: '',
    sandbox: '',
    heard: [],
  },

  onLoad() {
    const server = wx.getStorageSync('server') || 'https://127.0.0.1:8443';
    this.setData({ server, sandbox: wx.getStorageSync('sandbox') || '' });
  },

  // The switches

  choosePath({ detail }) {
    this.setData({ path: detail.value });
  },
  chooseFault({ detail }) {
    setFault(detail.value);
    this.setData({ fault: detail.value });
  },
  flip({ currentTarget, detail }) {
    this.setData({ [currentTarget.dataset.name]: detail.value });
  },
  flipKind({ detail }) {
    this.setData({ kind: detail.value ? 'realtime' : 'quick' });
  },
  enterServer({ detail }) {
    if (detail.value === this.data.server) return;
    wx.setStorageSync('server', detail.value);
    configure({ server: detail.value });
    this.setData({ server: detail.value });
    this.renew();
  },
  enterSandbox({ detail }) {
    wx.setStorageSync('sandbox', detail.value);
    this.setData({ sandbox: detail.value });
  },
  /** The button goes and comes: as when its page is closed, with a code under way, and opened again. */
  renew() {
    this.setData({ shown: false });
    setTimeout(() => this.setData({ shown: true }), 500);
  },
  another() {
    this.selectComponent('#phone').reset();
  },

  // The tap, where WeChat's own dialog is not wanted

  async play() {
    const button = this.selectComponent('#phone');
    const path = paths.find(({ id }) => id === this.data.path);
    button.onTap();
    if (!this.data.agreed) return;
    const detail = await this.detailOf(path);
    if (detail) button.onPhoneNumber({ detail });
  },

  async detailOf({ outcome, code, detail }) {
    if (outcome === 'encrypted') {
      try {
        return { ...detail, ...(await encryptedNumber(this.data.sandbox)) };
      } catch (failure) {
        this.hear({ type: 'demo' }, `${failure.message}: enter the sandbox's address`);
        return undefined;
      }
    }
    if (outcome !== 'code') return detail;
    const { confirm } = await wx.showModal({
      title: '申请获取并验证你的手机号',
      content: `138****8000（${code}）`,
      confirmText: '允许',
      cancelText: '不允许',
    });
    taps += 1;
    return confirm
      ? { ...detail, code: `${code}-${Date.now()}-${taps}` }
      : { errMsg: 'getPhoneNumber:fail user deny' };
  },

  // What the page hears

  onNumber(event) {
    const { phoneNumber, requestId } = event.detail;
    wx.showToast({ title: `获取成功 ${phoneNumber}`, icon: 'none' });
    this.hear(event, `${phoneNumber} ${requestId}`);
  },
  onFail(event) {
    wx.showToast({ title: event.detail.detail, icon: 'none' });
    this.hear(event);
  },
  onNeedAgree(event) {
    wx.showToast({ title: '请先同意用户协议', icon: 'none' });
    this.hear(event);
  },
  onAny(event) {
    this.hear(event);
  },
  hear({ type, detail }, words) {
    const line = `${type}  ${words || JSON.stringify(detail)}`;
    console.log('phone-button', type, detail);
    this.setData({ heard: [line, ...this.data.heard].slice(0, heardMax) });
  },
});
