import Taro from '@tarojs/taro';
import { useState } from 'react';

export default function Login() {
  const [phone, setPhone] = useState('');
  if (phone) return phone;
  return (
    <phone-button
      server="https://your.server"
      scene="login"
      onNumber={({ detail }) => setPhone(detail.phoneNumber)}
      onFail={({ detail }) => Taro.showToast({ title: detail.detail, icon: 'none' })}
      onFallback={() => Taro.navigateTo({ url: '/pages/sms/sms' })}
    >
      一键获取手机号
    </phone-button>
  );
}
