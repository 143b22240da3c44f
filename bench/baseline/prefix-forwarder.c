/* programs/prefix-forwarder.ts in C. */
#include "lpm.h"
#include "parse.h"

enum { UNROUTED, EXPIRED, WITH_OPTIONS };

struct route { u16 device; u8 padding[6]; u64 source, next_hop; };
/* Both tables have room for 4096 rules; the rules block holds one after the other. */
#define ROUTES6 ((64 + 4097 * sizeof(struct route) + 63) / 64 * 64)

static inline void store_mac(u8 *at, u64 mac) {
  mac = __builtin_bswap64(mac << 16);
  memcpy(at, &mac, 6);
}

static inline u32 send(struct packet p, const struct route *route) {
  store_mac(p.data + 6, route->source);
  store_mac(p.data, route->next_hop);
  return REDIRECT | (u32)route->device << 8;
}

static inline u32 process(const struct context *c, struct packet p) {
  if (p.length < 14) return DROP;
  u8 *ip = ipv4(p);
  if (ip) {
    if ((ip[0] & 15) > 5) {
      c->counters[WITH_OPTIONS]++;
      return PASS;
    }
    const u8 *found = lpm_lookup(c->rules, ip + 16, 4, sizeof(struct route));
    if (!found) {
      c->counters[UNROUTED]++;
      return PASS;
    }
    if (ip[8] <= 1) {
      c->counters[EXPIRED]++;
      return PASS;
    }
    const u16 before = load16(ip + 8);
    ip[8]--;
    store16(ip + 10, checksum_change16(load16(ip + 10), before, load16(ip + 8)));
    return send(p, (const struct route *)found);
  }
  ip = ipv6(p);
  if (!ip) return PASS;
  const u8 *found = lpm_lookup(c->rules + ROUTES6, ip + 24, 16, sizeof(struct route));
  if (!found) {
    c->counters[UNROUTED]++;
    return PASS;
  }
  if (ip[7] <= 1) {
    c->counters[EXPIRED]++;
    return PASS;
  }
  ip[7]--;
  return send(p, (const struct route *)found);
}

#include "harness.h"
