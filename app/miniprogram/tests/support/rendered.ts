import { createRequire } from 'node:module';
import { JSDOM } from 'jsdom';
import type { FakeWx } from './fake_wx';
import { settled } from './manual_clock';

const dist = `${process.cwd()}/miniprogram_dist/`;

/** As far as j-component's are used here. */
interface SimulatedNode {
  dom: { textContent: string; parentNode?: unknown };
  instance: { [name: string]: (argument?: unknown) => unknown };
  data: { [name: string]: unknown };
  toJSON(): { attrs: { name: string; value: unknown }[] };
  querySelector(selector: string): SimulatedNode | undefined;
  dispatchEvent(name: string, options?: { detail?: object }): void;
  addEventListener(name: string, handler: (event: { detail: Detail }) => void): void;
  attach(parent: unknown): void;
  detach(): void;
  triggerPageLifeTime(name: string): void;
  setData(data: object): void;
}

// biome-ignore lint/suspicious/noExplicitAny: the details of all events together
type Detail = any;

let simulate: {
  load(path: string, options: object): string;
  load(definition: object): string;
  render(id: string, properties: object): SimulatedNode;
};
const require = createRequire(`${dist}index.js`);

/** Gives miniprogram-simulate its browser; WeChat's functions stay the fake ones. */
export function prepare(wx: FakeWx): typeof import('../../src/index') {
  const { window } = new JSDOM('<!doctype html><body></body>');
  for (const name of [
    'window',
    'document',
    'CustomEvent',
    'TouchEvent',
    'Event',
    'Node',
    'HTMLElement',
    'Text',
  ]) {
    Object.defineProperty(globalThis, name, {
      value: name === 'window' ? window : window[name as keyof typeof window],
      configurable: true,
      writable: true,
    });
  }
  simulate = require('miniprogram-simulate');
  Object.assign(globalThis, { wx });
  return require(`${dist}index.js`);
}

const eventNames = [
  'number',
  'fail',
  'wait',
  'denied',
  'noquota',
  'privacy',
  'agreeprivacy',
  'permission',
  'needagree',
  'quota',
  'offline',
  'fallback',
  'track',
];

const open: RenderedButton[] = [];

/** A phone-button on a page, and what the page hears of it. */
export class RenderedButton {
  readonly heard: { name: string; detail: Detail }[] = [];
  private readonly page: SimulatedNode;
  private readonly node: SimulatedNode;

  private constructor(attributes: { [name: string]: unknown }, slots: string) {
    const button = simulate.load(`${dist}phone-button/index`, { compiler: 'simulate', rootPath: dist });
    const given = Object.keys(attributes).map((name) => {
      const attribute = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      return `${attribute}="{{${name}}}"`;
    });
    const page = simulate.load({
      template: `<phone-button id="it" ${given.join(' ')}>一键获取手机号${slots}</phone-button>`,
      usingComponents: { 'phone-button': button },
      data: attributes,
    } as object);
    this.page = simulate.render(page, {});
    const node = this.page.querySelector('#it');
    if (!node) throw new Error('no button was rendered');
    this.node = node;
    for (const name of eventNames) {
      node.addEventListener(name, ({ detail }) => this.heard.push({ name, detail }));
    }
  }

  /** All that are still on a page. */
  static closeAll(): void {
    for (const button of open.splice(0)) button.page.detach();
  }

  static async render(attributes: { [name: string]: unknown }, slots = ''): Promise<RenderedButton> {
    const button = new RenderedButton(attributes, slots);
    open.push(button);
    button.page.attach(document.body);
    await settled();
    return button;
  }

  /** What the page heard, but for what comes all the time. */
  names(): string[] {
    return this.heard.map(({ name }) => name).filter((name) => name !== 'track' && name !== 'quota');
  }

  last(name: string): Detail {
    return this.heard.filter((one) => one.name === name).at(-1)?.detail;
  }

  tracked(): string[] {
    return this.heard.filter(({ name }) => name === 'track').map(({ detail }) => detail.type);
  }

  /** An attribute of WeChat's button; undefined where the button is not drawn. */
  attribute(name: string): unknown {
    return this.find('#onetap-button')
      ?.toJSON()
      .attrs.find((one) => one.name === name)?.value;
  }

  hasButton(): boolean {
    return this.find('#onetap-button') !== undefined;
  }

  isEnabled(): boolean {
    return this.hasButton() && !this.attribute('disabled');
  }

  isLocked(): boolean {
    return this.node.data.locked === true;
  }

  /** All that can be read. */
  words(): string {
    return this.node.dom.textContent;
  }

  /** The finger: where the button is disabled or locked it reaches nothing. */
  async tap(selector = '#onetap-button'): Promise<void> {
    const target = this.find(selector);
    if (!target) throw new Error(`nothing to tap: ${selector}`);
    if (selector === '#onetap-button' && (this.attribute('disabled') || this.isLocked())) return;
    target.dispatchEvent('tap');
    await settled();
  }

  /** The finger in the moment before the lock is drawn. */
  async tapTwiceAtOnce(): Promise<void> {
    this.find('#onetap-button')?.dispatchEvent('tap');
    this.find('#onetap-button')?.dispatchEvent('tap');
    await settled();
  }

  /** What WeChat's dialog ends with. */
  async answer(detail: object, event = 'getphonenumber'): Promise<void> {
    this.find('#onetap-button')?.dispatchEvent(event, { detail });
    await settled();
  }

  async tapAndAnswer(detail: object): Promise<void> {
    await this.tap();
    await this.answer(detail);
  }

  async set(attributes: object): Promise<void> {
    this.page.setData(attributes);
    await settled();
  }

  async pageLifetime(lifetime: 'show' | 'hide'): Promise<void> {
    this.node.triggerPageLifeTime(lifetime);
    await settled();
  }

  async close(): Promise<void> {
    open.splice(open.indexOf(this), 1);
    this.page.detach();
    await settled();
  }

  call(method: string): void {
    this.node.instance[method]?.();
  }

  private find(selector: string): SimulatedNode | undefined {
    return this.node.querySelector(selector);
  }
}
