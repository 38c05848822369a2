// The truth while the app runs: the phone may be full, or fail to read once.
let lists: { [key: string]: object[] | undefined } = {};

/** The list of objects under `key`; empty where there is none. */
export function load<Item extends object>(key: string): Item[] {
  const known = lists[key];
  if (known) return known as Item[];
  try {
    const stored: unknown = wx.getStorageSync(key);
    const items = (Array.isArray(stored) ? stored : []).filter((item) => item && typeof item === 'object');
    lists[key] = items;
    return items;
  } catch {
    return [];
  }
}

export function save(key: string, items: object[]): void {
  lists[key] = items;
  try {
    if (items.length > 0) wx.setStorageSync(key, items);
    else wx.removeStorageSync(key);
  } catch {}
}

/** As when the app is launched: only what the phone has stored is left. */
export function forgetMemory(): void {
  lists = {};
}
