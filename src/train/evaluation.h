#pragma once
#include "base/blocks.h"
#include "data/preprocess.h"
#include "exchange/communicator.h"
#include "model/model.h"

/// Loss and hits over a whole data set in evaluation mode: fixed blocks of 256 samples, block b on rank b mod P, block results
/// added in block order: the same bits for any number of ranks.
namespace qsweep {

inline constexpr std::size_t evaluation_block = 256;

/// Mean loss (data term) and accuracy in percent. Collective over the team; every rank gets the result.
struct Score {
  double loss = 0, accuracy = 0;
};
/// state: running statistics of batch norm, empty where the model has none.
Score evaluate(Model& model, std::span<const float> weights, std::span<const float> state, const ImageSetView& images, const Preprocessor& preprocessor, const Team& team);

}  // namespace qsweep
