import { phoneNumber, track } from 'onetap-miniprogram';

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

  onOwnTap() {
    track('tap', { scene: 'own-button' });
  },
  async onOwnButton({ detail }) {
    this.setData({ busy: true });
    try {
      const { phoneNumber: phone } = await phoneNumber(detail, { scene: 'own-button' });
      this.setData({ phone });
    } catch (failure) {
      wx.showToast({ title: failure.problem.detail, icon: 'none' });
      this.setData({ busy: false });
    }
  },
});
