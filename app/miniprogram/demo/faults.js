// What goes wrong between phone and server, at the flick of a switch: wx.request and wx.login are wrapped.

/** `none`; `lose_reply`: the next answer about a code is lost on its way back; `offline`: nothing gets through. */
let fault = 'none';
let jsCode = '';

function replace(name, wrap) {
  Object.defineProperty(wx, name, { value: wrap(wx[name].bind(wx)), configurable: true, writable: true });
}

function watchRequests() {
  replace('request', (request) => (options) => {
    if (fault === 'offline') {
      setTimeout(() => options.fail({ errMsg: 'request:fail (demo: offline)' }), 100);
      return undefined;
    }
    if (fault === 'lose_reply' && /\/phone\/(consume|decrypt)$/.test(options.url)) {
      fault = 'none';
      const lose = () => options.fail({ errMsg: 'request:fail (demo: the reply was lost)' });
      return request({ ...options, success: lose });
    }
    return request(options);
  });
}

/** Remembers the last login: the sandbox encrypts numbers for it. */
function watchLogin() {
  replace(
    'login',
    (login) => (options) =>
      login({
        ...options,
        success(result) {
          jsCode = result.code;
          options.success(result);
        },
        // Without an account of WeChat's (touristappid) there is no code; the sandbox takes any.
        fail() {
          jsCode = `demo--${Date.now()}`;
          options.success({ code: jsCode, errMsg: 'login:ok' });
        },
      }),
  );
}

module.exports = {
  watchRequests,
  watchLogin,
  setFault(name) {
    fault = name;
  },
  lastJsCode: () => jsCode,
};
