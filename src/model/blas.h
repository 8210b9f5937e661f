#pragma once
#include <cblas.h>

#include <span>
#include <string>

/// OpenBLAS by the few verbs that qsweep needs; all matrices row-major, shapes in the names.
namespace qsweep {

/// OpenBLAS and oneDNN with one thread each, set in code whatever the environment says: ranks are the parallelism, and threads would
/// change last bits. First thing in every program and test.
void use_one_thread();
std::string blas_version();             ///< "OpenBLAS 0.3.21"
std::string blas_kernel();              ///< the kernel in use: "SkylakeX", "Haswell"
/// What to do for a faster kernel; empty if the one in use uses what the CPU has. An OpenBLAS older than the CPU falls back to its oldest.
std::string faster_blas_kernel();

inline int blas_int(std::size_t n) { return static_cast<int>(n); }

/// c [m, n] += a [m, k] · b [n, k]ᵀ, by oneDNN's sgemm (model/onednn.cpp), which is the faster one for this shape.
void add_product_transposed(std::size_t m, std::size_t n, std::size_t k, const float* a, const float* b, float* c);

/// c [m, n] = a [m, k] · b [k, n]
inline void multiply(std::size_t m, std::size_t n, std::size_t k, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1, a, blas_int(k), b, blas_int(n), 0, c, blas_int(n));
}
/// c [m, n] = a [k, m]ᵀ · b [k, n]
inline void transposed_multiply(std::size_t m, std::size_t n, std::size_t k, const float* a, const float* b, float* c) {
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, blas_int(m), blas_int(n), blas_int(k), 1, a, blas_int(m), b, blas_int(n), 0, c, blas_int(n));
}
/// y [m] = alpha · a [m, n] · x + beta · y
inline void multiply_vector(std::size_t m, std::size_t n, float alpha, const float* a, const float* x, float beta, float* y) {
  cblas_sgemv(CblasRowMajor, CblasNoTrans, blas_int(m), blas_int(n), alpha, a, blas_int(n), x, 1, beta, y, 1);
}
/// y [n] = alpha · a [m, n]ᵀ · x + beta · y
inline void transposed_multiply_vector(std::size_t m, std::size_t n, float alpha, const float* a, const float* x, float beta, float* y) {
  cblas_sgemv(CblasRowMajor, CblasTrans, blas_int(m), blas_int(n), alpha, a, blas_int(n), x, 1, beta, y, 1);
}

}  // namespace qsweep
