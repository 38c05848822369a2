import { phoneNumber, resume, track } from 'onetap-miniprogram';

Page({
  data: { agreed: false, phone: '', busy: false },

  onAgree({ detail }) {
    this.setData({ agreed: detail.value.length > 0 });
  },

  onNumber({ detail }) {
    this.setData({ phone: detail.phoneNumber });
    wx.showToast({ title: '获取成功', icon: 'none' });
  },
  onFail({ detail }) {
    // A sentence for people; detail.requestId is what support asks for.
    wx.showToast({ title: detail.detail, icon: 'none' });
  },
  onDenied() {
    wx.showToast({ title: '未授权手机号', icon: 'none' });
  },
  onNeedAgree() {
    wx.showToast({ title: '请先同意用户协议', icon: 'none' });
  },

  // A number of a tap before, whose page was closed: phone-button asks for its own by itself.
  onShow() {
    const answer = resume({ scene: 'own-button' }, { isHere: () => !this.gone });
    if (answer) this.settle(answer);
  },
  onOwnTap() {
    track('tap', { scene: 'own-button' });
  },
  onOwnButton({ detail }) {
    this.settle(phoneNumber(detail, { scene: 'own-button' }, { isHere: () => !this.gone }));
  },
  onUnload() {
    this.gone = true;
  },
  async settle(answer) {
    this.setData({ busy: true });
    try {
      const { phoneNumber: phone } = await answer;
      this.setData({ phone });
    } catch (failure) {
      wx.showToast({ title: failure.problem.detail, icon: 'none' });
      this.setData({ busy: false });
    }
  },
});
