// What products need beside cuBLAS.
#include "device.cuh"

// cast_bf16 rounds x [rows, cols] to bfloat16, in rows of ld, a multiple of eight, with zeros after the last column. A thread
// takes eight neighbouring elements.
KERNEL(cast_bf16, (bf16 *out, const float *x, int64_t rows, int cols, int ld)) {
  const bool four = ((uint64_t)x & 15) == 0 && cols % 4 == 0;
  const int groups = ld / 8;
  for (int64_t at = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; at < rows * groups; at += (int64_t)gridDim.x * blockDim.x) {
    const int c = (int)(at % groups) * 8;
    const float *from = x + at / groups * cols + c;
    float y[8];
    if (four && c + 8 <= cols) {
      const float4 low = *reinterpret_cast<const float4 *>(from), high = *reinterpret_cast<const float4 *>(from + 4);
      y[0] = low.x, y[1] = low.y, y[2] = low.z, y[3] = low.w, y[4] = high.x, y[5] = high.y, y[6] = high.z, y[7] = high.w;
    } else {
#pragma unroll
      for (int i = 0; i < 8; i++) y[i] = c + i < cols ? from[i] : 0.f;
    }
    *reinterpret_cast<uint4 *>(out + at * 8) =
        make_uint4(pack_bf16(y[0], y[1]), pack_bf16(y[2], y[3]), pack_bf16(y[4], y[5]), pack_bf16(y[6], y[7]));
  }
}

// fill_rows writes row, or zeros where it is null, to each row of out [rows, cols].
KERNEL(fill_rows, (float *out, const float *row, int64_t rows, int cols)) {
  for (int64_t at = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; at < rows * cols; at += (int64_t)gridDim.x * blockDim.x)
    out[at] = row ? row[at % cols] : 0.f;
}
