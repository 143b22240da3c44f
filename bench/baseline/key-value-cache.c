/* programs/key-value-cache.ts in C. */
#include "parse.h"

enum { GET = 1, SET = 2, DELETE = 3, REPLY = 128 };
enum { HITS, MISSES, WRITES, DELETIONS };

struct name { u8 bytes[16]; };
struct values { u32 tag, seq; struct name key; u8 value[32]; };
#define TABLE values
#define ENTRY struct values
#define KEY struct name
#define CAPACITY 65536
#define EVICT
#include "table.h"

static inline u32 min(u32 a, u32 b) { return a < b ? a : b; }

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  u8 *datagram = ip ? udp(p, ip) : 0;
  if (!datagram || be16(load16(datagram + 2)) != (u16)c->settings[0] || (ip[6] & 0x20)) return PASS;
  const u32 total = be16(load16(ip + 2)), length = be16(load16(datagram + 4));
  u32 there = p.data + p.length - datagram;
  if (total) there = min(there, total < (u32)(datagram - ip) ? 0 : total - (datagram - ip));
  if (length) there = min(there, length);
  if (there < 8 + 52) return PASS;
  u8 *request = datagram + 8;
  struct name key;
  memcpy(&key, request + 4, 16);
  bool made;

  if (request[0] == SET) {
    struct values *e = values_upsert(c, c->state, &key, 0, p.sequence, &made);
    if (e) {
      memcpy(e->value, request + 20, 32);
      c->counters[WRITES]++;
    }
  } else if (request[0] == DELETE) {
    struct values *e = values_find(c->state, &key, 0);
    if (e) {
      values_remove(c, c->state, e);
      c->counters[DELETIONS]++;
    }
  }
  if (request[0] != GET) return PASS;

  const struct values *e = values_find(c->state, &key, 0);
  if (!e) {
    c->counters[MISSES]++;
    return PASS;
  }
  c->counters[HITS]++;
  request[0] = REPLY | GET;
  request[1] = 1;
  memcpy(request + 20, e->value, 32);
  const u32 ports = load32(datagram);
  store32(datagram, ports << 16 | ports >> 16);
  store16(datagram + 6, 0);
  const u64 addresses = load64(ip + 12);
  store64(ip + 12, addresses << 32 | addresses >> 32);
  const u16 before = load16(ip + 8);
  ip[8] = 64;
  store16(ip + 10, checksum_change16(load16(ip + 10), before, load16(ip + 8)));
  swap_macs(p.data);
  return TRANSMIT;
}

#include "harness.h"
