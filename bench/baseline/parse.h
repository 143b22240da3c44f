/* Headers as the programs' views have them: present only if whole and sound, behind up to two VLAN tags. */
#pragma once
#include "types.h"

enum protocol { TCP = 6, UDP = 17, SCTP = 132 };

static inline bool is_tag(u16 type) { return type == be16(0x8100) || type == be16(0x88a8); }

/* Where the network header starts and, in *type, what it is (network order; 0 if the frame is too short). */
static inline u32 network(struct packet p, u16 *type) {
  u32 at = 14;
  *type = 0;
  if (unlikely(p.length < 14)) return at;
  *type = load16(p.data + 12);
  for (int tags = 0; tags < 2 && unlikely(is_tag(*type)) && at + 4 <= p.length; tags++, at += 4)
    *type = load16(p.data + at + 2);
  return at;
}

/* The IPv4 header, or null. */
static inline u8 *ipv4(struct packet p) {
  u16 type;
  const u32 at = network(p, &type);
  if (type != be16(0x0800) || unlikely(at + 20 > p.length)) return 0;
  u8 *ip = p.data + at;
  if (unlikely((u8)(ip[0] - 0x45) > 0x4f - 0x45) || unlikely(at + (ip[0] & 15) * 4 > p.length)) return 0;
  return ip;
}

/* The IPv6 header, or null. */
static inline u8 *ipv6(struct packet p) {
  u16 type;
  const u32 at = network(p, &type);
  if (type != be16(0x86dd) || unlikely(at + 40 > p.length)) return 0;
  return p.data[at] >> 4 == 6 ? p.data + at : 0;
}

/* The transport header of this protocol with at least `size` bytes, or null. */
static inline u8 *transport(struct packet p, u8 *ip, u8 protocol, u32 size) {
  if (ip[9] != protocol || unlikely(load16(ip + 6) & be16(0x1fff))) return 0;
  u8 *header = ip + (ip[0] & 15) * 4;
  return likely(header + size <= p.data + p.length) ? header : 0;
}

static inline u8 *tcp(struct packet p, u8 *ip) {
  u8 *header = transport(p, ip, TCP, 20);
  if (!header) return 0;
  const u32 size = header[12] >> 2 & 0x3c;
  return likely(size >= 20 && header + size <= p.data + p.length) ? header : 0;
}

static inline u8 *udp(struct packet p, u8 *ip) { return transport(p, ip, UDP, 8); }

/* Source and destination port as they stand, 0 where there are none. */
static inline u32 ports(struct packet p, u8 *ip) {
  u8 *header = 0;
  switch (ip[9]) {
    case TCP: header = tcp(p, ip); break;
    case UDP: header = udp(p, ip); break;
    case SCTP: header = transport(p, ip, SCTP, 12); break;
  }
  return header ? load32(header) : 0;
}

/* A key of addresses, ports and protocol, as tables store it. */
struct five_tuple {
  u32 source, destination;
  u32 ports;
  u32 protocol;
};

static inline struct five_tuple five_tuple(struct packet p, u8 *ip) {
  return (struct five_tuple){load32(ip + 12), load32(ip + 16), ports(p, ip), ip[9]};
}

/* A checksum after 16 bits that it covers changed (RFC 1624, equation 3). Byte order does not matter. */
static inline u16 checksum_change16(u16 sum, u16 before, u16 after) {
  u32 s = (u16)~sum + (u32)(u16)~before + after;
  s = (s & 0xffff) + (s >> 16);
  return (u16)~(u16)((s & 0xffff) + (s >> 16));
}

static inline u16 checksum_change32(u16 sum, u32 before, u32 after) {
  u32 s = (u16)~sum + (u32)(u16)~before + (u16)~(before >> 16) + (u16)after + (after >> 16);
  s = (s & 0xffff) + (s >> 16);
  return (u16)~(u16)((s & 0xffff) + (s >> 16));
}

/* Exchanges the MAC addresses of a frame. */
static inline void swap_macs(u8 *frame) {
  u8 was[6];
  memcpy(was, frame, 6);
  memcpy(frame, frame + 6, 6);
  memcpy(frame + 6, was, 6);
}
