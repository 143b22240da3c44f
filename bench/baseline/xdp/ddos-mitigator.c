/* programs/ddos-mitigator.ts as XDP. */
#include "xdp.h"

struct source { u32 address; };
struct sent { u64 packets; };
#define KEY struct source
#define VALUE struct sent
#define CAPACITY 65536
#include "table.h"

SEC("xdp") int ddos_mitigator(struct xdp_md *c) {
  const struct packet p = packet_of(c);
  struct ipv4 *ip = ipv4(p);
  if (!ip) return TRANSMIT;
  const KEY key = {ip->source};
  const VALUE initial = {0};
  VALUE *v = upsert(&key, 0, &initial);
  if (!v) {
    count(0);
    return TRANSMIT;
  }
  return ++v->packets > (u32)settings[0] ? DROP : TRANSMIT;
}
