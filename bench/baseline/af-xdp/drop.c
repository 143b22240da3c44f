// AF_XDP as one would write it in C without libxdp: packets of one queue are counted by source and dropped.
//
// drop IFINDEX QUEUE FRAMES CPU: descriptor 3 is the XSKMAP of the XDP program. Prints "ready", then, for every line on
// standard input, the packets received and those lost; ends with the input.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FRAME = 2048, BATCH = 256, SLOTS = 65536 };

static uint32_t seen[SLOTS];

// Looks before a sleep, some 100 us, and a millisecond after many packets. Who only waits leaves memory alone for some cycles.
enum { LOOKS = 4000, MANY = 1024 };
static inline void relax(void) {
#if defined(__x86_64__)
  __asm__ volatile("pause");
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void check(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static void *ring(int fd, uint64_t offset, size_t bytes) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  check(at != MAP_FAILED, "mmap");
  return at;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int index = atoi(argv[1]), queue = atoi(argv[2]), frames = atoi(argv[3]), cpu = atoi(argv[4]);
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);

  int fd = socket(AF_XDP, SOCK_RAW, 0);
  check(fd >= 0, "socket");
  char *umem = mmap(NULL, (size_t)frames * FRAME, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  struct xdp_umem_reg reg = {.addr = (uint64_t)umem, .len = (uint64_t)frames * FRAME, .chunk_size = FRAME};
  check(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof reg) == 0, "XDP_UMEM_REG");
  check(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &frames, sizeof frames) == 0, "FILL");
  check(setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &frames, sizeof frames) == 0, "COMPLETION");
  check(setsockopt(fd, SOL_XDP, XDP_RX_RING, &frames, sizeof frames) == 0, "RX");
  struct xdp_mmap_offsets off;
  socklen_t length = sizeof off;
  check(getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &length) == 0, "OFFSETS");
  char *rx = ring(fd, XDP_PGOFF_RX_RING, off.rx.desc + frames * sizeof(struct xdp_desc));
  char *fill = ring(fd, XDP_UMEM_PGOFF_FILL_RING, off.fr.desc + frames * sizeof(uint64_t));
  struct xdp_desc *rx_desc = (void *)(rx + off.rx.desc);
  uint64_t *fill_desc = (void *)(fill + off.fr.desc);
  uint32_t *rx_producer = (void *)(rx + off.rx.producer), *rx_consumer = (void *)(rx + off.rx.consumer);
  uint32_t *fill_producer = (void *)(fill + off.fr.producer);
  uint32_t mask = frames - 1, filled = frames, taken = 0;
  for (int k = 0; k < frames; k++) fill_desc[k] = (uint64_t)k * FRAME;
  __atomic_store_n(fill_producer, filled, __ATOMIC_RELEASE);
  struct sockaddr_xdp to = {.sxdp_family = AF_XDP, .sxdp_ifindex = index, .sxdp_queue_id = queue, .sxdp_flags = XDP_USE_NEED_WAKEUP};
  // The socket before this one gives the queue back some milliseconds after its end.
  int bound = bind(fd, (void *)&to, sizeof to);
  for (int k = 0; bound != 0 && errno == EBUSY && k < 200; k++) {
    usleep(5000);
    bound = bind(fd, (void *)&to, sizeof to);
  }
  check(bound == 0, "bind");
  uint32_t key = queue;
  union bpf_attr attr = {.map_fd = 3, .key = (uint64_t)&key, .value = (uint64_t)&fd};
  check(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof attr) == 0, "XSKMAP");
  fcntl(0, F_SETFL, O_NONBLOCK);
  puts("ready");
  fflush(stdout);

  uint64_t received = 0;
  for (uint32_t idle = 0, awake = 0;;) {
    uint32_t there = __atomic_load_n(rx_producer, __ATOMIC_ACQUIRE) - taken;
    if (there > BATCH) there = BATCH;
    if (there == 0) {
      if (++idle < (awake < MANY ? LOOKS : 10 * LOOKS)) {
        relax();
        continue;
      }
      idle = awake = 0;
      struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
      poll(wait, 2, 20);
      char line[64];
      ssize_t got = read(0, line, sizeof line);
      if (got == 0) return 0;
      if (got > 0) {
        struct xdp_statistics s;
        length = sizeof s;
        getsockopt(fd, SOL_XDP, XDP_STATISTICS, &s, &length);
        printf("%lu %lu\n", received, (unsigned long)(s.rx_dropped + s.rx_ring_full));
        fflush(stdout);
      }
      continue;
    }
    idle = 0;
    for (uint32_t k = 0; k < there; k++) {
      struct xdp_desc *desc = &rx_desc[(taken + k) & mask];
      const unsigned char *packet = (unsigned char *)umem + desc->addr;
      if (desc->len >= 34 && packet[12] == 8 && packet[13] == 0) {
        uint32_t source;
        memcpy(&source, packet + 26, 4);
        seen[(source * 2654435761u) >> 16]++;
      }
      fill_desc[(filled + k) & mask] = desc->addr;
    }
    taken += there;
    awake += there;
    filled += there;
    received += there;
    __atomic_store_n(rx_consumer, taken, __ATOMIC_RELEASE);
    __atomic_store_n(fill_producer, filled, __ATOMIC_RELEASE);
  }
}
