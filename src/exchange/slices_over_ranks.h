#pragma once
#include "exchange/exchange.h"
#include "quantize/quantized_weights.h"

/// The slices of w and v that other ranks keep, for finding the scales of weight tensors that are cut over ranks.
namespace qsweep {

class SlicesOverRanks final : public OtherSlices {
 public:
  /// traffic: grows by what this rank sends. All must outlive it.
  SlicesOverRanks(const Team& team, const Partition& partition, Traffic& traffic)
      : team_(team), partition_(partition), traffic_(traffic) {}
  std::size_t first() const override { return partition_.first(team_.rank()); }
  std::size_t last() const override { return partition_.last(team_.rank()); }
  bool is_cut(const Tensor& t) const override;
  BlockSums total(const Tensor& t, std::span<const BlockSums> mine) override;
  float on_one_rank(const Tensor& t, std::span<const float> w, std::span<const float> v, const Solve& solve) override;

 private:
  /// The tensor on the solver, nothing elsewhere.
  std::vector<float> put_together(const Tensor& t, std::span<const float> mine, int solver);
  TensorPart part(const Tensor& t, int rank) const { return part_of(t, partition_.first(rank), partition_.last(rank)); }
  void count(std::size_t bytes);

  const Team& team_;
  const Partition& partition_;
  Traffic& traffic_;
};

}  // namespace qsweep
