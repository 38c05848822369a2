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

/** For `forMs`, even when the clock is set back; woken earlier only if not `firm`. Never ends in the background. */
export function pause(forMs: number, firm: boolean): Promise<void> {
  listen();
  const untilMs = Date.now() + forMs;
  return new Promise((resolve) => {
    const timer = new Timer();
    let isOver = false;
    const look = (woken: boolean): void => {
      timer.stop();
      const restMs = untilMs - Date.now();
      isOver = isOver || restMs <= 0;
      if (!hidden && (isOver || (woken && !firm))) {
        waiters = waiters.filter((waiter) => waiter !== wake);
        resolve();
        return;
      }
      if (waiters.indexOf(wake) < 0) waiters.push(wake);
      if (isOver) return;
      timer.start(Math.min(restMs, forMs), () => {
        isOver = true;
        look(false);
      });
    };
    const wake = (): void => look(true);
    look(false);
  });
}
