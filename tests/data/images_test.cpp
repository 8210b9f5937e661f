#include "data/images.h"

#include <cmath>

#include "base/errors.h"
#include "data/helpers.h"
#include "data/preprocess.h"

namespace qsweep::test {
namespace {

Bytes big_endian(std::initializer_list<std::uint32_t> integers) {
  Bytes bytes;
  for (const std::uint32_t integer : integers)
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes.push_back(static_cast<std::uint8_t>(integer >> shift));
  return bytes;
}

Bytes join(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes counting(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}

const Bytes image_header = big_endian({0x803, 60'000, 28, 28}), label_header = big_endian({0x801, 60'000});

/// A folder with the first three training samples of an MNIST that is cut after them, one of its files replaced.
struct ForgedMnist {
  TemporaryDirectory dir;

  explicit ForgedMnist(const Bytes& images = join(image_header, counting(3 * 784)),
                       const Bytes& labels = join(label_header, {7, 0, 9})) {
    dir.write("mnist/train-images-idx3-ubyte.gz", gzip(images));
    dir.write("mnist/train-labels-idx1-ubyte", labels);
  }
  std::string error() const {
    return message_of<DataError>([this] { Images(ImageSet::mnist, dir.path(), Part::train, 3); });
  }
};

TEST(Images, IdxFilesAreReadAsFarAsAsked) {
  const ForgedMnist forged;
  const Images images(ImageSet::mnist, forged.dir.path(), Part::train, 3);
  EXPECT_EQ(images.pixels, counting(3 * 784));
  EXPECT_EQ(images.labels, (Bytes{7, 0, 9}));
}

TEST(Images, DamagedIdxFilesAreTold) {
  expect_contains(ForgedMnist(big_endian({0x801, 60'000})).error(), {"truncated", "8 bytes", "16"});
  expect_contains(ForgedMnist(join(label_header, counting(3 * 784))).error(),
                  {"train-images-idx3-ubyte.gz", "magic", "0x00000801", "0x00000803", "label file", "cvdf-datasets/mnist"});
  expect_contains(ForgedMnist(big_endian({0x08030000, 60'000, 28, 28})).error(), {"magic", "0x08030000"});
  expect_contains(ForgedMnist(big_endian({0x803, 10'000, 28, 28})).error(), {"10000", "60000", "swapped"});
  expect_contains(ForgedMnist(big_endian({0x803, 0xFFFFFFFF, 28, 28})).error(), {"4294967295", "60000"});
  expect_contains(ForgedMnist(big_endian({0x803, 60'000, 32, 28})).error(), {"image size", "32", "28"});
  expect_contains(ForgedMnist(big_endian({0x803, 60'000, 28, 0})).error(), {"image size", "0", "28"});
  expect_contains(ForgedMnist(join(image_header, counting(2 * 784 + 1))).error(), {"truncated", "train-images"});
  const Bytes images = join(image_header, counting(3 * 784));
  expect_contains(ForgedMnist(images, {}).error(), {"train-labels-idx1-ubyte", "truncated"});
  expect_contains(ForgedMnist(images, image_header).error(), {"train-labels-idx1-ubyte", "magic", "image file"});
  expect_contains(ForgedMnist(images, join(label_header, {1, 2})).error(), {"truncated"});
  expect_contains(ForgedMnist(images, join(label_header, {1, 2, 10})).error(), {"label 10", "sample 2", "0 to 9"});
  expect_contains(ForgedMnist(images, big_endian({0x801, 59'999})).error(), {"59999", "60000"});
}

TEST(Images, WholeIdxFilesMustEndWhereTheyShould) {
  const TemporaryDirectory dir;
  const Bytes images = join(big_endian({0x803, 10'000, 28, 28}), Bytes(7'840'000)),
              labels = join(big_endian({0x801, 10'000}), Bytes(10'000, 3));
  dir.write("t10k-images-idx3-ubyte.gz", gzip(images));
  dir.write("t10k-labels-idx1-ubyte.xz", xz(labels));
  EXPECT_EQ(Images(ImageSet::fashion_mnist, dir.path(), Part::test).label_counts()[3], 10'000);
  const auto error = [&] { return message_of<DataError>([&] { Images(ImageSet::fashion_mnist, dir.path(), Part::test); }); };
  dir.write("t10k-labels-idx1-ubyte.xz", xz(join(labels, {0})));
  expect_contains(error(), {"t10k-labels-idx1-ubyte.xz", "too long", "10008"});
  dir.write("t10k-images-idx3-ubyte.gz", gzip(join(images, {0})));
  expect_contains(error(), {"t10k-images-idx3-ubyte.gz", "too long", "7840016"});
}

TEST(Images, CifarRecordsAreTakenApart) {
  const TemporaryDirectory dir;
  const Bytes pixels = counting(3072), black(3072);
  dir.write("cifar10/data_batch_1.bin", join(join({4}, pixels), join({9}, black)));
  const Images images(ImageSet::cifar10, dir.path(), Part::train, 2);
  EXPECT_EQ(images.labels, (Bytes{4, 9}));
  EXPECT_EQ(images.pixels, join(pixels, black));
}

TEST(Images, DamagedCifarFilesAreTold) {
  const TemporaryDirectory dir;
  const auto error = [&](const Bytes& bytes, Part part = Part::train) {
    dir.write(part == Part::train ? "data_batch_1.bin" : "test_batch.bin.xz", bytes);
    return message_of<DataError>([&] { Images(ImageSet::cifar10, dir.path(), part, 2); });
  };
  expect_contains(error({}), {"data_batch_1.bin", "truncated", "0 records", "cs.toronto.edu"});
  expect_contains(error(Bytes(3073)), {"1 records", "10000"});
  expect_contains(error(Bytes(3073 + 3072)), {"inside record 1", "multiple of 3073"});
  expect_contains(error(Bytes(2 * 3073, 10)), {"label 10", "sample 0"});
  expect_contains(error(xz(Bytes(30'730'001)), Part::test), {"test_batch.bin.xz", "too long", "30730000"});
  dir.write("test_batch.bin.xz", xz(Bytes(30'730'000)));
  EXPECT_EQ(Images(ImageSet::cifar10, dir.path(), Part::test).label_counts()[0], 10'000);
}

TEST(Images, CifarBatchesFollowEachOther) {
  const TemporaryDirectory dir;
  dir.write("cifar10/data_batch_1.bin.gz", gzip(Bytes(30'730'000, 1)));
  dir.write("cifar10/data_batch_2.bin.xz", xz(Bytes(30'730'000, 2)));
  dir.write("cifar10/data_batch_3.bin", Bytes(2 * 3073, 3));
  const Images images(ImageSet::cifar10, dir.path(), Part::train, 20'002);
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    const std::uint8_t* image = images.view().image(i);
    ASSERT_TRUE(images.labels[i] == 1 + i / 10'000 && image[0] == images.labels[i] && image[3071] == images.labels[i]) << i;
  }
  const auto error = [&](std::size_t limit) {
    return message_of<DataError>([&] { Images(ImageSet::cifar10, dir.path(), Part::train, limit); });
  };
  expect_contains(error(20'003), {"data_batch_3.bin", "2 records"});
  dir.write("cifar10/data_batch_2.bin", Bytes(30'729'999, 2));
  expect_contains(error(20'001), {"data_batch_2.bin", "inside record 9999"});
}

TEST(Images, MissingSetsSayWhereToGetThem) {
  const TemporaryDirectory dir;
  const auto error = [&](ImageSet set) { return message_of<DataError>([&] { Images(set, dir.path(), Part::train, 1); }); };
  expect_contains(error(ImageSet::mnist), {"train-images-idx3-ubyte", "/mnist/", "https://"});
  expect_contains(error(ImageSet::fashion_mnist), {"train-images-idx3-ubyte", "/fashion-mnist/", "https://"});
  expect_contains(error(ImageSet::cifar10), {"data_batch_1.bin", "/cifar10/", "https://"});
}

TEST(Images, NamesAndLimitsAreChecked) {
  for (const ImageSet set : {ImageSet::mnist, ImageSet::fashion_mnist, ImageSet::cifar10, ImageSet::synthetic_images}) {
    EXPECT_EQ(image_set(describe(set).name), set);
    EXPECT_EQ(sample_count(set, Part::train, 0), describe(set).train);
    EXPECT_EQ(sample_count(set, Part::train, 5), 5U);
    EXPECT_EQ(sample_count(set, Part::test, 5), describe(set).test);
    expect_contains(message_of<ConfigError>([&] { sample_count(set, Part::train, describe(set).train + 1); }),
                    {"data.limit = ", "allowed"});
  }
  expect_contains(message_of<ConfigError>([] { image_set("minst"); }), {"data.set = minst", "mnist", "cifar10"});
}

TEST(Images, SyntheticSetIsTheSameEverywhere) {
  const Images train(ImageSet::synthetic_images, {}, Part::train), test(ImageSet::synthetic_images, {}, Part::test);
  EXPECT_EQ(train.label_counts(), std::vector<int>(10, 1000));
  EXPECT_EQ(test.label_counts(), std::vector<int>(10, 200));
  EXPECT_EQ(md5({train.labels, train.pixels}), "c1c0d3693761cf8f68c0e2ae1ca40308");
  EXPECT_EQ(md5({test.labels, test.pixels}), "79ca4074f62b8d342482ffc80d484eb7");
  const Images few(ImageSet::synthetic_images, {}, Part::train, 7);
  EXPECT_EQ(few.pixels, Bytes(train.pixels.begin(), train.pixels.begin() + 7 * 3072));
}

TEST(Images, SyntheticSetIsLearnableButNotTrivial) {  // nearest mean image of a class: far above 10 %, far below 100 %
  const Images train(ImageSet::synthetic_images, {}, Part::train, 2000), test(ImageSet::synthetic_images, {}, Part::test);
  std::vector<std::vector<double>> mean(10, std::vector<double>(3072));
  for (std::size_t i = 0; i < train.labels.size(); ++i)
    for (std::size_t j = 0; j < 3072; ++j) mean[train.labels[i]][j] += train.pixels[i * 3072 + j] / 200.0;
  int right = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    std::vector<double> distance(10);
    for (std::size_t k = 0; k < 10; ++k)
      for (std::size_t j = 0; j < 3072; ++j) distance[k] += std::pow(test.pixels[i * 3072 + j] - mean[k][j], 2);
    right += std::min_element(distance.begin(), distance.end()) - distance.begin() == test.labels[i];
  }
  EXPECT_GT(right, 700);
  EXPECT_LT(right, 970);
}

void expect_idx(ImageSet set, const std::string& folder, const std::vector<std::string>& digests, double mean, double deviation,
                const std::vector<int>& train_counts, const std::vector<int>& test_counts) {
  const auto dir = real_data(folder);
  const Images train(set, dir, Part::train), test(set, dir, Part::test);
  EXPECT_EQ(md5({image_header, train.pixels}), digests[0]);
  EXPECT_EQ(md5({label_header, train.labels}), digests[1]);
  EXPECT_EQ(md5({big_endian({0x803, 10'000, 28, 28}), test.pixels}), digests[2]);
  EXPECT_EQ(md5({big_endian({0x801, 10'000}), test.labels}), digests[3]);
  EXPECT_EQ(train.label_counts(), train_counts);
  EXPECT_EQ(test.label_counts(), test_counts);
  const Moments moments = channel_moments(train.view());
  EXPECT_NEAR(moments.mean.at(0), mean, 5e-7);  // as published, six decimals
  EXPECT_NEAR(moments.std.at(0), deviation, 5e-7);
}

TEST(RealImages, Mnist) {
  if (real_data("mnist").empty()) GTEST_SKIP() << "NOT TESTED: no folder mnist in $QSWEEP_DATA, data or ../shared/data";
  expect_idx(ImageSet::mnist, "mnist",
             {"6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624", "2646ac647ad5339dbf082846283269ea",
              "27ae3e4e09519cfbb04c329615203637"},
             .130660, .308108, {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
             {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
}

TEST(RealImages, FashionMnist) {
  if (real_data("fashion-mnist").empty())
    GTEST_SKIP() << "NOT TESTED: no folder fashion-mnist in $QSWEEP_DATA, data or ../shared/data";
  expect_idx(ImageSet::fashion_mnist, "fashion-mnist",
             {"f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9", "8181f5470baa50b63fa0f6fddb340f0a",
              "15d484375f8d13e6eb1aabb0c3f46965"},
             .286041, .353024, std::vector<int>(10, 6000), std::vector<int>(10, 1000));
}

std::string cifar_md5(const Images& images, std::size_t batch) {
  Bytes file;
  for (std::size_t i = batch * 10'000; i < (batch + 1) * 10'000; ++i) {
    file.push_back(images.labels[i]);
    file.insert(file.end(), images.view().image(i), images.view().image(i) + 3072);
  }
  return md5({file});
}

constexpr const char* no_cifar = "NOT TESTED: no folder cifar10 in $QSWEEP_DATA, data or ../shared/data";

TEST(RealImages, Cifar10Test) {
  if (real_data("cifar10").empty()) GTEST_SKIP() << no_cifar;
  const Images test(ImageSet::cifar10, real_data("cifar10"), Part::test);
  EXPECT_EQ(cifar_md5(test, 0), "803d5f7f4d78ea53de84dbe85f74fb6d");
  EXPECT_EQ(test.label_counts(), std::vector<int>(10, 1000));
}

TEST(RealImages, Cifar10Train) {
  if (real_data("cifar10").empty()) GTEST_SKIP() << no_cifar;
  const Images train(ImageSet::cifar10, real_data("cifar10"), Part::train);
  const std::vector<std::string> digests = {"5dd7e06a14cb22eb9f671a540d1b7c25", "5ea93a67294ea407fff1d09f752e9692",
                                            "942cd6a4bcdd0dd3c604fbe906cb4421", "ae636b3ba5c66a11e91e8cb52e771fcb",
                                            "53f37980c15c3d472c316c40844f3f0d"};
  for (std::size_t batch = 0; batch < 5; ++batch) EXPECT_EQ(cifar_md5(train, batch), digests[batch]);
  EXPECT_EQ(train.label_counts(), std::vector<int>(10, 5000));
  const Moments moments = channel_moments(train.view());
  const double mean[] = {.49140, .48216, .44653}, deviation[] = {.24703, .24349, .26159};  // as published, five decimals
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(moments.mean.at(c), mean[c], 5e-6);
    EXPECT_NEAR(moments.std.at(c), deviation[c], 5e-6);
  }
}

}  // namespace
}  // namespace qsweep::test
