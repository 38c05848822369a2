// What the phone will not store (it may be full) is at least kept as long as the app runs.
const inMemory: { [key: string]: unknown[] } = {};

/** The list under `key`; empty where there is none. */
export function load<Item>(key: string): Item[] {
  if (inMemory[key]) return inMemory[key] as Item[];
  try {
    const stored: unknown = wx.getStorageSync(key);
    return Array.isArray(stored) ? (stored as Item[]) : [];
  } catch {
    return [];
  }
}

export function save(key: string, items: unknown[]): void {
  try {
    if (items.length > 0) wx.setStorageSync(key, items);
    else wx.removeStorageSync(key);
    delete inMemory[key];
  } catch {
    inMemory[key] = items;
  }
}
