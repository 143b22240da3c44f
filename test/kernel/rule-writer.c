/* A control plane in C: writes an entry of a pinned map, or deletes it, by the system call alone, with nothing of ours
   and no library.

     rule-writer MAP update KEY VALUE     KEY and VALUE in hexadecimal
     rule-writer MAP delete KEY
     rule-writer MAP flap KEY VALUE N     writes and deletes it N times; it is gone afterwards */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(enum bpf_cmd command, union bpf_attr *attr) {
  const long result = syscall(SYS_bpf, command, attr, sizeof *attr);
  if (result < 0) {
    perror("bpf");
    exit(1);
  }
  return result;
}

static void *bytes(const char *hex) {
  const size_t n = strlen(hex) / 2;
  unsigned char *result = calloc(n + 1, 1);
  for (size_t k = 0; k < n; k++) sscanf(hex + 2 * k, "%2hhx", &result[k]);
  return result;
}

static void update(int map, const void *key, const void *value) {
  union bpf_attr attr = {0};
  attr.map_fd = map;
  attr.key = (unsigned long)key;
  attr.value = (unsigned long)value;
  attr.flags = BPF_ANY;
  bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static void delete(int map, const void *key) {
  union bpf_attr attr = {0};
  attr.map_fd = map;
  attr.key = (unsigned long)key;
  bpf(BPF_MAP_DELETE_ELEM, &attr);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  union bpf_attr open = {0};
  open.pathname = (unsigned long)argv[1];
  const int map = bpf(BPF_OBJ_GET, &open);
  const void *key = bytes(argv[3]), *value = argc > 4 ? bytes(argv[4]) : 0;
  if (!strcmp(argv[2], "update") && value) update(map, key, value);
  else if (!strcmp(argv[2], "delete")) delete(map, key);
  else if (!strcmp(argv[2], "flap") && argc > 5)
    for (long n = atol(argv[5]); n > 0; n--) {
      update(map, key, value);
      delete(map, key);
    }
  else return 2;
  return 0;
}
