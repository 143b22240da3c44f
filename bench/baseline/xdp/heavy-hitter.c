/* programs/heavy-hitter.ts as XDP. */
#include "xdp.h"

struct sent { u64 bytes; };
#define KEY struct five_tuple
#define VALUE struct sent
#define CAPACITY 65536
#include "table.h"

enum { HEAVY_FLOWS, HEAVY_PACKETS, UNMONITORED };

SEC("xdp") int heavy_hitter(struct xdp_md *c) {
  const struct packet p = packet_of(c);
  struct ipv4 *ip = ipv4(p);
  if (!ip) return TRANSMIT;
  const KEY key = five_tuple(p, ip);
  const VALUE initial = {0};
  VALUE *v = upsert(&key, 0, &initial);
  if (!v) {
    count(UNMONITORED);
    return TRANSMIT;
  }
  const u64 threshold = settings[0], size = be16(ip->length);
  const u64 bytes = v->bytes += size;
  if (bytes > threshold) {
    count(HEAVY_PACKETS);
    if (bytes - size <= threshold) count(HEAVY_FLOWS);
  }
  return TRANSMIT;
}
