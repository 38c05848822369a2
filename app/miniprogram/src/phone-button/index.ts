import { clientFor, type PhoneButtonEvents } from '../index';
import { type Attributes, ButtonController, type Look } from './controller';

const look: Look = {
  face: 'button',
  offersFallback: false,
  openType: '',
  locked: false,
  busy: false,
  loading: false,
  noQuotaText: '',
  offlineText: '',
  fallbackText: '',
  labelText: '',
};

interface Instance {
  controller?: ButtonController;
  properties: WechatMiniprogram.IAnyObject;
  setData(data: Partial<Look>): void;
  triggerEvent(name: string, detail: object): void;
  /** What the controller was made for. */
  server?: string;
  /** The page that it is on, among getCurrentPages(). */
  page?: unknown;
}

function currentPage(): unknown {
  const pages = typeof getCurrentPages === 'function' ? getCurrentPages() : [];
  return pages[pages.length - 1];
}

function attach(component: Instance): void {
  const { server } = component.properties;
  component.page = currentPage();
  component.server = server;
  const controller = new ButtonController(() => clientFor(server), {
    attributes: () => {
      const given = component.properties as Attributes;
      return { ...given, kind: given.kind === 'realtime' ? 'realtime' : 'quick' };
    },
    show: (changed) => component.setData(changed),
    tell: (name, detail: PhoneButtonEvents[typeof name]) => component.triggerEvent(name, detail),
  });
  component.controller = controller;
  controller.start();
}

function controllerOf(component: unknown): ButtonController | undefined {
  return (component as Instance).controller;
}

Component({
  options: { multipleSlots: true },
  externalClasses: ['custom-class', 'button-class', 'no-quota-class', 'fallback-class'],
  properties: {
    /** Instead of configure({ server }). */
    server: { type: String, value: '' },
    kind: { type: String, value: 'quick' },
    scene: { type: String, value: '' },
    outId: { type: String, value: '' },
    /** `zh` or `en`; the phone's unless given. */
    lang: { type: String, value: '' },
    /** By problem code, or name of a text. */
    messages: { type: Object, value: {} },
    /** False: a tap fires `needagree`; no dialog, no charge. */
    agreed: { type: Boolean, value: true },
    /** WeChat's privacy guide is agreed to with the same tap. */
    agreePrivacy: { type: Boolean, value: false },
    /** For screen readers; "一键获取手机号" unless given. */
    label: { type: String, value: '' },
    /** primary, default or warn, as <button type>. */
    type: { type: String, value: 'primary' },
    disabled: { type: Boolean, value: false },
    /** False: no fallback is offered. */
    fallback: { type: Boolean, value: true },
    useNoQuotaSlot: { type: Boolean, value: false },
    useFallbackSlot: { type: Boolean, value: false },
  },
  data: { ...look },
  observers: {
    'kind, agreed, agreePrivacy, lang, messages'() {
      const controller = controllerOf(this);
      if (controller) controller.redraw();
    },
    server(server: string) {
      const component = this as unknown as Instance;
      if (!component.controller || component.server === server) return;
      component.controller.stop();
      component.setData(look);
      attach(component);
    },
    kind() {
      const controller = controllerOf(this);
      if (controller) void controller.look();
    },
  },
  lifetimes: {
    attached() {
      attach(this as unknown as Instance);
    },
    detached() {
      const controller = controllerOf(this);
      if (controller) controller.stop();
    },
  },
  pageLifetimes: {
    show() {
      (this as unknown as Instance).page = currentPage();
      const controller = controllerOf(this);
      if (controller) controller.pageShown();
    },
    hide() {
      // In the background the page on top is the same one; after navigateTo it is another, a little later.
      const { page } = this as unknown as Instance;
      setTimeout(() => {
        const controller = controllerOf(this);
        if (controller && currentPage() !== page) controller.pageLeft();
      }, 0);
    },
  },
  methods: {
    onTap() {
      const controller = controllerOf(this);
      if (controller) controller.tap();
    },
    /** What WeChat's button brought; public, so that demos and tests can play it. */
    onPhoneNumber(event: { detail: object }) {
      const controller = controllerOf(this);
      if (controller) controller.callback(event.detail);
    },
    onAgreePrivacy(event: { detail: Record<string, unknown> }) {
      const controller = controllerOf(this);
      if (controller) controller.agreedToPrivacy(event.detail);
    },
    onOffline() {
      const controller = controllerOf(this);
      if (controller) void controller.look();
    },
    onFallback() {
      const controller = controllerOf(this);
      if (controller) controller.fallback();
    },
    /** Enables the button again after a number. */
    reset() {
      const controller = controllerOf(this);
      if (controller) controller.reset();
    },
  },
});
