#include "results/weights.h"

#include <cmath>

#include "base/random.h"
#include "results/sample.h"

namespace qsweep {
namespace {

QuantizedTensor random_tensor(int bits, std::size_t size) {
  const Stream random(static_cast<std::uint64_t>(bits), Draw::Data);
  QuantizedTensor tensor{{size}, bits, {}, {}, 0.37F};
  for (std::size_t k = 0; k < (std::size_t{1} << bits); ++k) tensor.levels.push_back(std::tan(static_cast<float>(k)));
  for (std::size_t i = 0; i < size; ++i) tensor.codes.push_back(static_cast<std::uint8_t>(random.word(i) >> (32 - bits)));
  return tensor;
}

Record record_of(const QuantizedTensor& tensor) { return {"x", {}, quantized_weights_datasets("fc1/weight", tensor), {}}; }

TEST(Weights, layout_of_the_bits) {
  EXPECT_EQ(pack_bits(std::vector<std::uint8_t>{1, 2, 3, 4}, 3), (std::vector<std::uint8_t>{0b11'010'001, 0b0000'100'0}));
  EXPECT_EQ(pack_bits(std::vector<std::uint8_t>{1, 0, 1}, 1), (std::vector<std::uint8_t>{0b101}));
  EXPECT_EQ(pack_bits(std::vector<std::uint8_t>{200, 7}, 8), (std::vector<std::uint8_t>{200, 7}));
  EXPECT_TRUE(pack_bits({}, 5).empty());
}

TEST(Weights, round_trip_for_every_width_and_size) {
  for (int bits = 1; bits <= 8; ++bits)
    for (const std::size_t size : {0U, 1U, 2U, 7U, 64U, 1003U}) {
      const QuantizedTensor tensor = random_tensor(bits, size);
      const QuantizedTensor read = quantized_tensor(record_of(tensor), "fc1/weight");
      EXPECT_EQ(read.bits, bits);
      EXPECT_EQ(read.shape, tensor.shape);
      EXPECT_EQ(read.codes, tensor.codes) << bits << " bits, " << size;
      ASSERT_EQ(read.values().size(), size);
      for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(read.values()[i], tensor.scale * tensor.levels[tensor.codes[i]]);
    }
}

TEST(Weights, bits_for_a_codebook) {
  EXPECT_EQ(bits_for(1), 1);
  EXPECT_EQ(bits_for(2), 1);
  EXPECT_EQ(bits_for(3), 2);
  EXPECT_EQ(bits_for(4), 2);
  EXPECT_EQ(bits_for(5), 3);
  EXPECT_EQ(bits_for(256), 8);
  EXPECT_THROW(bits_for(0), std::invalid_argument);
  EXPECT_THROW(bits_for(257), std::invalid_argument);
}

TEST(Weights, contradictions_are_refused) {
  QuantizedTensor tensor = random_tensor(2, 7);
  tensor.levels.resize(3);
  tensor.codes[4] = 3;
  EXPECT_THROW(quantized_weights_datasets("fc1/weight", tensor), std::invalid_argument);
  tensor = random_tensor(2, 7);
  tensor.shape = {8};
  EXPECT_THROW(quantized_weights_datasets("fc1/weight", tensor), std::invalid_argument);
}

TEST(Weights, damaged_records_are_refused) {
  const Record good = record_of(random_tensor(2, 7));
  const auto error = [](const Record& run) { return data_error([&] { quantized_tensor(run, "fc1/weight"); }); };
  for (std::size_t i = 0; i < 3; ++i) {
    Record bad = good;
    bad.datasets.erase(bad.datasets.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_TRUE(mentions(error(bad), {"fc1/weight", "missing"}));
    bad = good;
    bad.datasets[i].values = std::vector<std::string>{"text"};
    EXPECT_TRUE(mentions(error(bad), {"fc1/weight", "type"}));
  }
  for (const std::int64_t bits : {0, 9, 3, -1}) {
    Record bad = good;
    bad.datasets[0].attributes["bits"] = bits;
    EXPECT_TRUE(mentions(error(bad), {"fc1/weight", "codes"})) << bits;
  }
  const std::int64_t large = std::int64_t{1} << 62;
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{9}, {-7}, {large, large}, {}, {2, 2}}) {
    Record bad = good;
    bad.datasets[0].attributes["shape"] = shape;
    EXPECT_TRUE(mentions(error(bad), {"fc1/weight", "shape"}));
  }
  Record bad = good;
  std::get<std::vector<float>>(bad.datasets[1].values).resize(1);
  EXPECT_TRUE(mentions(error(bad), {"fc1/weight", "outside levels"}));
}

}  // namespace
}  // namespace qsweep
