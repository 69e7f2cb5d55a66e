//go:build gpu && emu && linux

// Rounding and the tensor cores' instructions, by the fragment layouts of the PTX ISA.
#include "machine.h"

namespace emu {

static float bits(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}

uint16_t round_bf16(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  if ((u & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

uint32_t round_tf32(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  if ((u & 0x7f800000) == 0x7f800000) return u;
  return (u + 0x1000) & ~0x1fffu;
}

// Where a warp's words of a, four of each lane, hold row and column: the lane and the word.
static uint32_t word_of_a(const uint32_t *all, int row, int pair, int pairs) {
  return all[8 * ((row & 7) * 4 + pair % pairs) + (row >> 3) + 2 * (pair / pairs)];
}

void mma_bf16(float *c, const uint32_t *a, const uint32_t *b) {
  uint32_t w[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const uint32_t *all = meet("mma.sync.m16n8k16", ~0u, w, 6);
  int g = lane() >> 2, t = lane() & 3;
  for (int i = 0; i < 4; i++) {
    int row = g + (i >> 1) * 8, col = 2 * t + (i & 1);
    float s = 0;
    for (int p = 0; p < 8; p++) {
      uint32_t x = word_of_a(all, row, p, 4), y = all[8 * (col * 4 + p % 4) + 4 + p / 4];
      s += bits(x << 16) * bits(y << 16) + bits(x & 0xffff0000) * bits(y & 0xffff0000);
    }
    c[i] += s;
  }
}

void mma_tf32(float *c, const uint32_t *a, const uint32_t *b) {
  uint32_t w[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const uint32_t *all = meet("mma.sync.m16n8k8", ~0u, w, 6);
  int g = lane() >> 2, t = lane() & 3;
  for (int i = 0; i < 4; i++) {
    int row = g + (i >> 1) * 8, col = 2 * t + (i & 1);
    float s = 0;
    for (int p = 0; p < 8; p++)  // the hardware does not read the 13 lower bits
      s += bits(word_of_a(all, row, p, 4) & ~0x1fffu) * bits(all[8 * (col * 4 + p % 4) + 4 + p / 4] & ~0x1fffu);
    c[i] += s;
  }
}

void load_matrix(uint32_t *r, const void *row, int matrices, bool transposed) {
  int l = lane();
  uint32_t w[4] = {};
  if (l < 8 * matrices) {
    if ((uintptr_t)row & 15) fault("ldmatrix from an address that is no multiple of 16");
    memcpy(w, row, 16);
  }
  const uint32_t *all = meet(transposed ? "ldmatrix.trans" : "ldmatrix", ~0u, w, 4);
  for (int m = 0; m < matrices; m++) {
    uint32_t e[2];
    for (int i = 0; i < 2; i++) {
      int from = transposed ? 2 * (l & 3) + i : l >> 2, column = transposed ? l >> 2 : 2 * (l & 3) + i;
      e[i] = all[8 * (8 * m + from) + column / 2] >> 16 * (column & 1) & 0xffff;
    }
    r[m] = e[0] | e[1] << 16;
  }
}

}  // namespace emu
