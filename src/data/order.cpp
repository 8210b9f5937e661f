#include "data/order.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "base/random.h"

namespace qsweep {
namespace {

/// Uniform integers from consecutive words of one stream.
class BoundedDraws {
 public:
  explicit BoundedDraws(const Stream& stream) : stream_(stream) {}

  std::uint32_t below(std::uint32_t bound) {  // [0, bound)
    std::uint64_t product = std::uint64_t{word()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t rejected = (0U - bound) % bound;  // 2³² mod bound
      while (static_cast<std::uint32_t>(product) < rejected) product = std::uint64_t{word()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  std::uint32_t word() {
    if (next_ % words_.size() == 0) stream_.words(next_, words_);
    return words_[next_++ % words_.size()];
  }
  Stream stream_;
  std::uint64_t next_ = 0;
  std::array<std::uint32_t, 256> words_;
};

}  // namespace

Order::Order(std::size_t samples, std::uint64_t seed, bool shuffle) : samples_(samples), seed_(seed), shuffle_(shuffle) {
  assert(samples > 0 && samples <= UINT32_MAX);
}

const std::vector<std::uint32_t>& Order::permutation(std::uint64_t epoch) {
  Epoch& cached = cache_[epoch % 2];
  if (cached.number == epoch) return cached.permutation;
  cached.number = epoch;
  cached.permutation.resize(samples_);
  std::iota(cached.permutation.begin(), cached.permutation.end(), 0U);
  if (shuffle_) {
    BoundedDraws draws(Stream(seed_, Draw::Order, 0, static_cast<std::uint32_t>(epoch)));
    for (std::size_t i = samples_ - 1; i > 0; --i)
      std::swap(cached.permutation[i], cached.permutation[draws.below(static_cast<std::uint32_t>(i + 1))]);
  }
  return cached.permutation;
}

void Order::read(std::uint64_t first, std::span<std::uint32_t> samples) {
  for (std::size_t done = 0; done < samples.size();) {
    const std::uint64_t position = first + done;
    const auto within = static_cast<std::size_t>(position % samples_);
    const std::size_t size = std::min(samples.size() - done, samples_ - within);
    const auto begin = permutation(position / samples_).begin() + static_cast<std::ptrdiff_t>(within);
    std::copy_n(begin, size, samples.begin() + static_cast<std::ptrdiff_t>(done));
    done += size;
  }
}

}  // namespace qsweep
