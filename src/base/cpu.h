#pragma once
#include <string_view>

/// Which instructions the tuned kernels may use. Every file named *_kernels.cpp is compiled three times, in namespaces
/// qsweep::baseline, qsweep::avx2 and qsweep::avx512 (macro QSWEEP_SIMD), from the same source: the results are the same bits.
namespace qsweep {

enum class Simd { baseline, avx2, avx512 };

/// The best that this CPU offers, or less if the environment variable QSWEEP_SIMD names one (baseline, avx2, avx512).
/// avx2 means AVX2, FMA and BMI2; avx512 adds F, BW, DQ, VL. Asked of the CPU once.
Simd simd();
std::string_view name(Simd);

/// Picks among the three builds of one kernel table: static const Kernels& k = dispatch(baseline::table, avx2::table, avx512::table).
template <class Table>
const Table& dispatch(const Table& baseline, const Table& avx2, const Table& avx512) {
  switch (simd()) {
    case Simd::avx512: return avx512;
    case Simd::avx2: return avx2;
    default: return baseline;
  }
}

/// Denormals are flushed to zero, inputs and results: first thing in every program and test, for speed and equal bits.
void flush_denormals();

}  // namespace qsweep
