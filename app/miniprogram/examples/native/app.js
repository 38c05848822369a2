import { configure } from 'onetap-miniprogram';

App({
  onLaunch() {
    configure({ server: 'https://your.server' });
  },
});
