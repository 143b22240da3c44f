/* programs/ddos-mitigator.ts in C. */
#include "parse.h"

struct source { u32 address; };
struct sources { u32 tag; struct source key; u64 packets; };
#define TABLE sources
#define ENTRY struct sources
#define KEY struct source
#define CAPACITY 65536
#include "table.h"

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  if (!ip) return TRANSMIT;
  const struct source key = {load32(ip + 12)};
  bool made;
  struct sources *e = sources_upsert(c, c->state, &key, 0, 0, &made);
  if (!e) {
    c->counters[0]++;
    return TRANSMIT;
  }
  return ++e->packets > (u32)c->settings[0] ? DROP : TRANSMIT;
}

#include "harness.h"
