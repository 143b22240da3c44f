/* programs/source-nat.ts in C. */
#include "parse.h"
#include "pool.h"

enum { NETWORK, MASK, ADDRESS };
enum { EXHAUSTED, FULL, UNSOLICITED };

struct inside { u32 address; u16 port; u8 protocol, padding; };
struct mappings { u32 tag, time; struct inside key; u16 port; u8 padding[6]; } __attribute__((aligned(8)));
struct outside { u16 port; u8 protocol, padding; };
struct owners { u32 tag, time; struct outside key; u32 address; u16 port; } __attribute__((aligned(8)));

#define PORTS ((64 + 4 * 40001 + 63) / 64 * 64)
#define MAPPINGS(c) ((c)->state + PORTS)
static void release(const struct context *c, const struct mappings *e) { pool_give((struct pool *)c->state, e->port); }

#define TABLE mappings
#define ENTRY struct mappings
#define KEY struct inside
#define CAPACITY 65536
#define AFTER 300000u
#define RELEASE(c, e) release(c, e)
#include "table.h"

#define TABLE owners
#define ENTRY struct owners
#define KEY struct outside
#define CAPACITY 65536
#define AFTER 300000u
#include "table.h"
#define OWNERS(c) (MAPPINGS(c) + TABLE_BYTES(struct mappings, 65536))

/* Replaces an address and a port, with the checksums that cover them. */
static inline void rewrite(u8 *ip, u8 *address, u32 new_address, u8 *header, u8 *port, u16 new_port) {
  const u32 old_address = load32(address);
  const u16 old_port = load16(port);
  store32(address, new_address);
  store16(port, new_port);
  store16(ip + 10, checksum_change32(load16(ip + 10), old_address, new_address));
  const bool is_tcp = ip[9] == TCP;
  u8 *sum = header + (is_tcp ? 16 : 6);
  u16 value = load16(sum);
  if (!is_tcp && value == 0) return;
  value = checksum_change16(checksum_change32(value, old_address, new_address), old_port, new_port);
  store16(sum, !is_tcp && value == 0 ? 0xffff : value);
}

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  if (!ip) return PASS;
  u8 *header = ip[9] == TCP ? tcp(p, ip) : ip[9] == UDP ? udp(p, ip) : 0;
  if (!header) return PASS;
  const u64 *set = c->settings;
  const u32 now = p.timestamp / 1000000;
  const u32 source = load32(ip + 12), destination = load32(ip + 16);
  bool made;

  if (((be32(source) ^ (u32)set[NETWORK]) & (u32)set[MASK]) == 0) {
    const struct inside inside = {source, load16(header), ip[9], 0};
    const struct mappings *known = mappings_find(MAPPINGS(c), &inside, now);
    struct pool *ports = (struct pool *)c->state;
    if (!known && ports->available == 0) mappings_sweep(c, MAPPINGS(c), now);
    const u32 taken = known ? known->port : pool_take(ports);
    if (taken == NO_NUMBER) {
      c->counters[EXHAUSTED]++;
      return DROP;
    }
    struct mappings *mapping = mappings_upsert(c, MAPPINGS(c), &inside, now, 0, &made);
    if (!mapping) {
      pool_give(ports, taken);
      c->counters[FULL]++;
      return DROP;
    }
    mapping->port = taken;
    const struct outside outside = {be16(taken), ip[9], 0};
    struct owners *owner = owners_upsert(c, OWNERS(c), &outside, now, 0, &made);
    if (!owner) {
      mappings_remove(c, MAPPINGS(c), mapping);
      c->counters[FULL]++;
      return DROP;
    }
    owner->address = be32(source);
    owner->port = be16(load16(header));
    rewrite(ip, ip + 12, be32((u32)set[ADDRESS]), header, header, be16(taken));
    return TRANSMIT;
  }

  if (be32(destination) != (u32)set[ADDRESS]) return PASS;
  const struct outside outside = {load16(header + 2), ip[9], 0};
  const struct owners *owner = owners_find(OWNERS(c), &outside, now);
  if (!owner) {
    c->counters[UNSOLICITED]++;
    return PASS;
  }
  rewrite(ip, ip + 16, be32(owner->address), header, header + 2, be16(owner->port));
  return TRANSMIT;
}

#include "harness.h"
