#pragma once
#include "train/method.h"

/// Learning-compression of a linear regression with exact L steps (model/regression.h): images y [784] from x [196], their bicubic
/// halves (data/bicubic.h) with Gaussian noise of deviation data.noise. The same C and M steps as for networks; the reference is the
/// regression itself. Nothing is trained by mini-batches, and nothing is distributed: every rank of a team does all of it.
/// Source: Carreira-Perpiñán, Idelbayev 2017, the experiment on super-resolution.
namespace qsweep {

Record compress_regression(const Task& task);
Cost regression_cost(const Settings& settings, std::size_t parts_per_rank, const Speed& speed);

}  // namespace qsweep
