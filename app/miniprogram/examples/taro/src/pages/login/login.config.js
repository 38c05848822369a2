export default {
  usingComponents: { 'phone-button': '../../onetap/phone-button/index' },
};
