/* programs/token-bucket.ts as XDP. */
#include "xdp.h"

struct bucket { u64 level; u32 updated; };
#define KEY struct five_tuple
#define VALUE struct bucket
#define CAPACITY 65536
#define EVICT
#include "table.h"

#define TOKEN 1000000ull

SEC("xdp") int token_bucket(struct xdp_md *c) {
  const struct packet p = packet_of(c);
  struct ipv4 *ip = ipv4(p);
  if (!ip) return TRANSMIT;
  const u32 now = now_ns() / 1000;
  const u64 full = (u32)settings[1] * TOKEN;
  const KEY key = five_tuple(p, ip);
  VALUE initial;
  __builtin_memset(&initial, 0, sizeof initial);
  initial.level = full;
  initial.updated = now;
  VALUE *v = upsert(&key, 0, &initial);
  if (!v) return TRANSMIT;
  const u64 refilled = v->level + (u64)(u32)(now - v->updated) * (u32)settings[0];
  const u64 level = refilled < full ? refilled : full;
  v->updated = now;
  if (level < TOKEN) {
    v->level = level;
    count(0);
    return DROP;
  }
  v->level = level - TOKEN;
  return TRANSMIT;
}
