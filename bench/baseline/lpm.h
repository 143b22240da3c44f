/* Longest-prefix tables of docs/state.md, section 6.2. */
#pragma once
#include "types.h"

/* The value under a key of `bytes` bytes in network order, or null. */
static inline const u8 *lpm_lookup(const u8 *table, const u8 *key, u32 bytes, u32 stride) {
  const u8 *nodes = table + load32(table + 12);
  u32 node = 0;
  for (u32 i = 0; i < bytes; i++) {
    const u32 cell = load32(nodes + node * 1024 + key[i] * 4);
    if (!(cell & 0x80000000)) return cell ? table + 64 + cell * stride : 0;
    node = cell & 0x7fffffff;
  }
  return 0;
}
