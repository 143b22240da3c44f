/* Integers, unaligned loads and the packet descriptor that all baselines read (32 bytes, as src/device/slab.ts has it).
   Values loaded from packets stay in network order; constants are turned instead. Little-endian hosts only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define be16(x) __builtin_bswap16(x)
#define be32(x) __builtin_bswap32(x)

enum verdict { DROP = 1, PASS = 2, TRANSMIT = 3, REDIRECT = 4 };

struct descriptor {
  u32 address; /* of the first byte, from the start of the packet data */
  u32 length;
  u32 original;
  u32 device;
  u64 timestamp;
  u32 verdict;
  u32 flags;
};

struct packet {
  u8 *data;
  u32 length;
  u64 timestamp; /* ns since the run's start */
  u64 sequence;
};

/* What a program works on: blocks laid out by src/state, settings and counters in declared order. */
struct context {
  u8 *state;
  u8 *rules;
  const u64 *settings;
  u64 *counters;
};

static inline u16 load16(const u8 *p) { u16 v; memcpy(&v, p, 2); return v; }
static inline u32 load32(const u8 *p) { u32 v; memcpy(&v, p, 4); return v; }
static inline u64 load64(const u8 *p) { u64 v; memcpy(&v, p, 8); return v; }
static inline void store16(u8 *p, u16 v) { memcpy(p, &v, 2); }
static inline void store32(u8 *p, u32 v) { memcpy(p, &v, 4); }
static inline void store64(u8 *p, u64 v) { memcpy(p, &v, 8); }
