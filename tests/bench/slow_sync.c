// Slows a disk's syncs down, in the process that it is preloaded into: every SLOW_SYNC_EVERY-th one lasts
// SLOW_SYNC_MS longer.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static long setting(char const* name) {
  char const* const text = getenv(name);
  return text == NULL ? 0 : atol(text);
}

static void delay(void) {
  static atomic_long count;
  long const every = setting("SLOW_SYNC_EVERY");
  long const ms = setting("SLOW_SYNC_MS");
  if (every <= 0 || (atomic_fetch_add(&count, 1) + 1) % every != 0) return;
  struct timespec const time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static int synced(char const* name, int descriptor) {
  int (*const sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  delay();
  return sync(descriptor);
}

int fsync(int descriptor) { return synced("fsync", descriptor); }
int fdatasync(int descriptor) { return synced("fdatasync", descriptor); }
