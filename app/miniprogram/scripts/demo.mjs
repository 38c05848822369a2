// Puts the built package where the developer tools' "构建 npm" would put it, so that demo/ opens as it is.
import { cpSync, rmSync } from 'node:fs';

const folder = new URL('..', import.meta.url).pathname;
const target = `${folder}demo/miniprogram_npm/onetap-miniprogram`;
rmSync(target, { recursive: true, force: true });
cpSync(`${folder}miniprogram_dist`, target, { recursive: true });
console.log(`${folder}demo can be opened in the WeChat developer tools`);
