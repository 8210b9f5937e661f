#include "train/feed.h"

#include <fmt/format.h>

#include <algorithm>

namespace qsweep {

LinearFeed::LinearFeed(const Settings& settings)
    : stream_(settings.model.dimension, settings.run.seed), x_(settings.workers.batch * settings.model.dimension), y_(settings.workers.batch), noise_(settings.workers.batch) {}

Batch LinearFeed::next(std::uint32_t worker, std::uint64_t iteration) {
  stream_.batch(worker, static_cast<std::uint32_t>(iteration), x_, y_, noise_);
  return {y_.size(), x_, y_, {}};
}

double LinearFeed::loss_at_true_weights() const {
  double sum = 0;
  for (const float e : noise_) sum += double{e} * e;
  return sum / (2 * static_cast<double>(noise_.size()));
}

ImageFeed::ImageFeed(const Settings& settings, const ImageSetView& train, const Preprocessor& preprocessor)
    : train_(train), preprocessor_(preprocessor), order_(train.samples(), settings.run.seed, settings.data.shuffle), workers_(settings.workers.count),
      seed_(settings.run.seed), samples_(settings.workers.batch), x_(settings.workers.batch * preprocessor.shape().size()), labels_(settings.workers.batch) {}

Batch ImageFeed::next(std::uint32_t worker, std::uint64_t iteration) {
  const std::uint64_t first = first_position(iteration, workers_, worker, samples_.size());
  order_.read(first, samples_);
  preprocessor_.training_batch(train_, samples_, first, seed_, x_, labels_);
  return {.size = samples_.size(), .x = x_, .targets = {}, .labels = labels_, .background = preprocessor_.background()};
}

std::size_t training_samples(const Settings& settings) {
  return settings.data.synthetic_linear() ? 0 : sample_count(image_set(settings.data.set), Part::train, settings.data.limit);
}

PreprocessOptions preprocess_options(const Settings& settings) {
  return {crop(settings.data.crop), augment(settings.data.augment), normalize(settings.data.normalize), settings.data.mean, settings.data.std};
}

void DataStore::load(const Team& world, const std::vector<Settings>& distinct) {
  std::map<std::string, std::pair<Settings, std::size_t>> needed;  // by set: some settings of it, and the most samples asked for
  for (const Settings& s : distinct) {
    if (s.data.synthetic_linear()) continue;
    auto& entry = needed.try_emplace(s.data.set, s, 0).first->second;
    entry.second = std::max(entry.second, training_samples(s));
  }
  if (needed.empty()) return;
  const Team node = world.same_node();
  for (const auto& [name, need] : needed) {
    const ImageSet set = image_set(name);
    const Geometry geometry = describe(set).geometry;
    const std::size_t train = need.second, test = describe(set).test, image = geometry.size();
    ImageData data;
    data.memory = std::make_unique<NodeMemory>(node, (train + test) * (image + 1));
    const std::span<std::uint8_t> bytes = data.memory->bytes();
    const auto train_pixels = bytes.first(train * image), test_pixels = bytes.subspan(train * image, test * image);
    const auto labels = bytes.subspan((train + test) * image);
    const std::string dir = need.first.data.dir;
    world.all_or_none([&] {
      if (!node.is_root()) return;
      read(set, data_directory(dir), Part::train, train_pixels, labels.first(train));
      read(set, data_directory(dir), Part::test, test_pixels, labels.subspan(train, test));
    });
    node.barrier();
    data.train = {geometry, train_pixels, labels.first(train)};
    data.test = {geometry, test_pixels, labels.subspan(train, test)};
    sets_.emplace(name, std::move(data));
  }
}

ImageSetView DataStore::train(const Settings& settings) const {
  const ImageSetView& all = sets_.at(settings.data.set).train;
  const std::size_t samples = training_samples(settings);
  return {all.geometry, all.pixels.first(samples * all.geometry.size()), all.labels.first(samples)};
}

ImageSetView DataStore::test(const Settings& settings) const { return sets_.at(settings.data.set).test; }

const Preprocessor& DataStore::preprocessor(const Settings& settings) {
  const auto& p = settings.point;
  const std::string key = fmt::format("{} {} {} {} {} {} {}", p.at("data.set"), p.at("data.limit"), p.at("data.crop"), p.at("data.augment"), p.at("data.normalize"), p.at("data.mean"), p.at("data.std"));
  std::unique_ptr<Preprocessor>& cached = preprocessors_[key];
  if (!cached) cached = std::make_unique<Preprocessor>(preprocess_options(settings), train(settings));
  return *cached;
}

}  // namespace qsweep
