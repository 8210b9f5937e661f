#pragma once
#include <filesystem>
#include <string>

#include "fuzz/fuzz.h"
#include "results/record.h"

/// Results files that HDF5 finds in order and qsweep must not: groups, attributes and datasets that are missing, or of another type,
/// shape and size than results/FORMAT.md says. HDF5's library itself crashes over files of damaged bytes; those never reach it
/// (results/checksum.h, results_bytes_fuzz.cpp).
namespace qsweep::fuzz {

/// A run with something of all that the readers look for: curves, final values, weights, quantized weights, a problem, bounds, a
/// checkpoint, provenance.
Results sound_results(const std::string& id);

/// Changes a file of sound_results as the bytes say, through HDF5, and closes it with the right checksum.
void forge(const std::filesystem::path& file, const std::string& id, Draws& draws);

}  // namespace qsweep::fuzz
