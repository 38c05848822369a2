// Timers stand still while the app is in the background, and WeChat drops its requests after five seconds: so
// nothing is begun there, and whoever waits looks again when the app, or the network, comes back.

import { Timer } from './timer';

type Waiter = () => void;

let hidden = false;
let listening = false;
let waiters: Waiter[] = [];
const wakers: Waiter[] = [];

function wakeAll(): void {
  const woken = waiters;
  waiters = [];
  for (const wake of woken) wake();
  for (const wake of wakers) wake();
}

function listen(): void {
  if (listening) return;
  listening = true;
  if (typeof wx.onAppHide === 'function') {
    wx.onAppHide(() => {
      hidden = true;
    });
  }
  if (typeof wx.onAppShow === 'function') {
    wx.onAppShow(() => {
      hidden = false;
      wakeAll();
    });
  }
  if (typeof wx.onNetworkStatusChange === 'function') {
    wx.onNetworkStatusChange(({ isConnected }) => {
      if (isConnected) wakeAll();
    });
  }
}

/** `wake` is called whenever the app comes to the front, or the network back; returns how to end that. */
export function onWake(wake: Waiter): () => void {
  listen();
  wakers.push(wake);
  return () => {
    const at = wakers.indexOf(wake);
    if (at >= 0) wakers.splice(at, 1);
  };
}

/** Until `untilMs`; when woken earlier only if it is not `firm`. Never ends in the background. */
export function pause(untilMs: number, firm: boolean): Promise<void> {
  listen();
  return new Promise((resolve) => {
    const timer = new Timer();
    const look = (woken: boolean): void => {
      timer.stop();
      const restMs = untilMs - Date.now();
      if (!hidden && (restMs <= 0 || (woken && !firm))) {
        waiters = waiters.filter((waiter) => waiter !== wake);
        resolve();
        return;
      }
      if (waiters.indexOf(wake) < 0) waiters.push(wake);
      if (restMs > 0) timer.start(restMs, () => look(false));
    };
    const wake = (): void => look(true);
    look(false);
  });
}
