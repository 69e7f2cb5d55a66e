// Products as cuBLAS and cublasLt ask for them.
#pragma once
#include "machine.h"
#include "cublas_part.h"

namespace emu {

struct Matrix { CUdeviceptr p; int type, ld; long long stride; };

// C = alpha·op(A)·op(B) + beta·C, of matrices by columns, and a bias for each row of C where there is one.
struct Product {
  Work w;
  bool ta, tb;
  int m, n, k, batch, compute;
  float alpha, beta;
  Matrix a, b, c;
  CUdeviceptr bias, scratch;  // scratch: memory that is written over
  size_t scratch_bytes;
};

Product *new_product();
// Checks a product and puts it into a stream: a status of cuBLAS. It takes p over.
int multiply(CUstream s, Product *p);

}  // namespace emu
