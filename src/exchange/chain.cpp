#include "exchange/chain.h"

#include <algorithm>

namespace qsweep {
namespace {

constexpr std::size_t cache_elements = std::size_t{1} << 12;  // alone, a rank stays within its first-level cache
constexpr int chain_tag = 11;

}  // namespace

void chain_sum(const Team& team, const std::vector<std::vector<float>>& gradients, std::size_t workers, std::span<float> mean, Traffic& traffic) {
  const int last_rank = team.ranks() - 1;
  const float count = static_cast<float>(workers);
  const std::size_t step = team.ranks() == 1 ? cache_elements : chain_piece_elements;
  for (std::size_t begin = 0; begin < mean.size(); begin += step) {
    const std::span<float> piece = mean.subspan(begin, std::min(step, mean.size() - begin));
    if (team.is_root()) std::ranges::fill(piece, 0.0F);
    else team.receive(std::as_writable_bytes(piece), team.rank() - 1, chain_tag);
    for (const std::vector<float>& gradient : gradients)
      for (std::size_t i = 0; i < piece.size(); ++i) piece[i] += gradient[begin + i];
    if (team.rank() == last_rank) {
      for (float& value : piece) value /= count;
    } else {
      team.send(std::as_bytes(piece), team.rank() + 1, chain_tag);
      traffic.bytes_sent += piece.size_bytes();
      ++traffic.messages;
    }
  }
}

}  // namespace qsweep
