/* What the XDP baselines share: kernel interface, settings, counters, clock, and headers as the programs' views have
   them. Packet fields stay in network order; constants are turned instead. Little-endian hosts only.

   Compile with -DCUCKOO for our table layout instead of BPF_MAP_TYPE_HASH, and with -DCHECK for a build that takes its
   time from `clock_now`, so that verdicts and state can be compared with another program's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define be16(x) __builtin_bswap16(x)
#define be32(x) __builtin_bswap32(x)
/* Keeps the compiler from computing a pointer again after it was checked. */
#define keep(x) __asm__ volatile("" : "+r"(x))

enum { DROP = 1, PASS = 2, TRANSMIT = 3 };

struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };

enum { HASH = 1, PERCPU_ARRAY = 6 };
struct map { u32 type, key_size, value_size, max_entries, flags; };

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(void *map, const void *key) = (void *)3;
static u64 (*const ktime_get_ns)(void) = (void *)5;

/* In declared order, as the programs' parameters and counters. */
u64 settings[16];
struct map counters SEC("maps") = {PERCPU_ARRAY, 4, 8, 8, 0};

INLINE void count(u32 counter) {
#ifdef HISTORY
  return;
#endif
  u64 *at = map_lookup(&counters, &counter);
  if (at) ++*at;
}

#ifdef CHECK
u64 clock_now;
INLINE u64 now_ns(void) { return *(volatile u64 *)&clock_now; }
#else
INLINE u64 now_ns(void) { return ktime_get_ns(); }
#endif

struct packet { u8 *data, *end; };
INLINE struct packet packet_of(struct xdp_md *c) { return (struct packet){(u8 *)(long)c->data, (u8 *)(long)c->data_end}; }

struct ipv4 { u8 version_length, tos; u16 length, id, fragment; u8 ttl, protocol; u16 checksum; u32 source, destination; };
struct tcp { u16 source, destination; u32 sequence, acknowledgement; u8 offset, flags; u16 window, checksum, urgent; };
enum { TCP = 6, UDP = 17, SCTP = 132 };

INLINE bool is_tag(u16 type) { return type == be16(0x8100) || type == be16(0x88a8); }

/* The IPv4 header, behind up to two VLAN tags, or null. */
INLINE struct ipv4 *ipv4(struct packet p) {
  u8 *at = p.data + 14;
  if (at > p.end) return 0;
  u16 type = *(u16 *)(at - 2);
  if (unlikely(is_tag(type))) {
    at += 4;
    if (at > p.end) return 0;
    type = *(u16 *)(at - 2);
    if (is_tag(type)) {
      at += 4;
      if (at > p.end) return 0;
      type = *(u16 *)(at - 2);
    }
  }
  struct ipv4 *ip = (struct ipv4 *)at;
  if (type != be16(0x0800) || (u8 *)(ip + 1) > p.end) return 0;
  const u8 first = ip->version_length;
  if (unlikely((u8)(first - 0x45) > 0x4f - 0x45) || unlikely((u8 *)ip + (first & 15) * 4 > p.end)) return 0;
  return ip;
}

/* Where the payload of an IPv4 header begins, if it is of that protocol and has `size` bytes; or null. */
INLINE u8 *transport(struct packet p, struct ipv4 *ip, u8 protocol, u32 size) {
  if (ip->protocol != protocol || unlikely(ip->fragment & be16(0x1fff))) return 0;
  u8 *header = (u8 *)ip + (ip->version_length & 15) * 4;
  keep(header);
  return header + size <= p.end ? header : 0;
}

INLINE struct tcp *tcp(struct packet p, struct ipv4 *ip) {
  struct tcp *header = (struct tcp *)transport(p, ip, TCP, 20);
  if (!header) return 0;
  const u32 size = header->offset >> 2 & 0x3c;
  return size >= 20 && (u8 *)header + size <= p.end ? header : 0;
}

/* Source and destination port as they stand, 0 where there are none. */
INLINE u32 ports(struct packet p, struct ipv4 *ip) {
  u8 *header = 0;
  if (likely(ip->protocol == TCP)) header = (u8 *)tcp(p, ip);
  else if (ip->protocol == UDP) header = transport(p, ip, UDP, 8);
  else if (ip->protocol == SCTP) header = transport(p, ip, SCTP, 12);
  return header ? *(u32 *)header : 0;
}

struct five_tuple { u32 source, destination, ports, protocol; };
INLINE struct five_tuple five_tuple(struct packet p, struct ipv4 *ip) {
  return (struct five_tuple){ip->source, ip->destination, ports(p, ip), ip->protocol};
}

char licence[] SEC("license") = "GPL";
