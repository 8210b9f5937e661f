#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "data/files.h"
#include "data/images.h"
#include "data/linear_stream.h"
#include "data/order.h"
#include "data/preprocess.h"
#include "exchange/communicator.h"
#include "model/model.h"

/// Where mini-batches come from: worker n's of iteration t is a pure function of the settings, n and t.
namespace qsweep {

class Feed {
 public:
  virtual ~Feed() = default;
  /// Valid until the next call.
  virtual Batch next(std::uint32_t worker, std::uint64_t iteration) = 0;
};

/// The synthetic linear stream; remembers the noise of its last mini-batch, ‖noise‖²/(2B) = f_t(w*).
class LinearFeed final : public Feed {
 public:
  LinearFeed(const Settings& settings);
  Batch next(std::uint32_t worker, std::uint64_t iteration) override;
  std::span<const float> true_weights() const { return stream_.true_weights(); }
  double loss_at_true_weights() const;

 private:
  LinearStream stream_;
  std::vector<float> x_, y_, noise_;
};

/// The bytes of one image set, once per node, and its preprocessing.
struct ImageData {
  std::unique_ptr<NodeMemory> memory;
  ImageSetView train, test;
};

class ImageFeed final : public Feed {
 public:
  ImageFeed(const Settings& settings, const ImageSetView& train, const Preprocessor& preprocessor);
  Batch next(std::uint32_t worker, std::uint64_t iteration) override;

 private:
  ImageSetView train_;
  const Preprocessor& preprocessor_;
  Order order_;
  std::size_t workers_;
  std::uint64_t seed_;
  std::vector<std::uint32_t> samples_;
  std::vector<float> x_;
  std::vector<std::int32_t> labels_;
};

/// Image sets that the runs of this process use, loaded once per node; preprocessors by their options.
class DataStore {
 public:
  /// Collective over all ranks: loads the sets that any of `runs` needs. DataError on every rank if one fails.
  void load(const Team& world, const std::vector<Settings>& distinct);
  ImageSetView train(const Settings& settings) const;  ///< the first data.limit samples
  ImageSetView test(const Settings& settings) const;
  const Preprocessor& preprocessor(const Settings& settings);

 private:
  std::map<std::string, ImageData> sets_;                             ///< by data.set
  std::map<std::string, std::unique_ptr<Preprocessor>> preprocessors_;  ///< by the data.* keys that matter
};

/// Number of training samples of the settings' data set, without reading it; 0 for the endless synthetic stream.
std::size_t training_samples(const Settings& settings);
PreprocessOptions preprocess_options(const Settings& settings);

}  // namespace qsweep
