/* programs/heavy-hitter.ts in C. */
#include "parse.h"

enum { HEAVY_FLOWS, HEAVY_PACKETS, UNMONITORED };

struct flows { u32 tag; struct five_tuple key; u64 bytes; };
#define TABLE flows
#define ENTRY struct flows
#define KEY struct five_tuple
#define CAPACITY 65536
#include "table.h"

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  if (!ip) return TRANSMIT;
  const struct five_tuple key = five_tuple(p, ip);
  bool made;
  struct flows *e = flows_upsert(c, c->state, &key, 0, 0, &made);
  if (!e) {
    c->counters[UNMONITORED]++;
    return TRANSMIT;
  }
  const u64 threshold = c->settings[0];
  const u64 size = be16(load16(ip + 2));
  e->bytes += size;
  if (e->bytes > threshold) {
    c->counters[HEAVY_PACKETS]++;
    if (e->bytes - size <= threshold) c->counters[HEAVY_FLOWS]++;
  }
  return TRANSMIT;
}

#include "harness.h"
