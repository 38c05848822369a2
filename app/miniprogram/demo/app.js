const { configure } = require('onetap-miniprogram');
const { watchLogin, watchRequests } = require('./faults');

watchLogin();
watchRequests();

App({
  onLaunch() {
    configure({ server: wx.getStorageSync('server') || 'https://127.0.0.1:8443' });
  },
});
