/* programs/token-bucket.ts in C. */
#include "parse.h"

struct buckets { u32 tag, seq; struct five_tuple key; u64 level; u32 updated; };
#define TABLE buckets
#define ENTRY struct buckets
#define KEY struct five_tuple
#define CAPACITY 65536
#define EVICT
#include "table.h"

#define TOKEN 1000000ull

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  if (!ip) return TRANSMIT;
  const u32 now = p.timestamp / 1000;
  const u64 full = (u32)c->settings[1] * TOKEN;
  const struct five_tuple key = five_tuple(p, ip);
  bool made;
  struct buckets *e = buckets_upsert(c, c->state, &key, 0, p.sequence, &made);
  if (!e) return TRANSMIT;
  if (made) e->level = full, e->updated = now;
  const u64 refilled = e->level + (u64)(u32)(now - e->updated) * (u32)c->settings[0];
  const u64 level = refilled < full ? refilled : full;
  e->updated = now;
  if (level < TOKEN) {
    e->level = level;
    c->counters[0]++;
    return DROP;
  }
  e->level = level - TOKEN;
  return TRANSMIT;
}

#include "harness.h"
