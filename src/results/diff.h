#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// `qsweep diff`: whether two results files hold the same numbers to the bit. Compared are the datasets under curves and final of
/// every run, by type, shape and bits (a NaN equals a NaN of the same bits, 0 differs from −0), and nothing else: provenance,
/// traffic and times may differ between equal runs.
namespace qsweep {

struct Difference {
  std::string run;
  std::string dataset;             ///< "curves/loss"
  std::vector<std::size_t> index;  ///< of the first element that differs; empty for a scalar and where the shape already differs
  std::string a, b;                ///< the two values, or what stands there instead

  std::string text() const;  ///< "run x: curves/loss[17]: 0.5 against 0.25"
};

struct Comparison {
  std::optional<Difference> first;          ///< in the order of A's runs, datasets by name
  std::vector<std::string> only_a, only_b;  ///< runs that the other file lacks
  std::size_t runs = 0, datasets = 0;       ///< compared before the first difference

  bool equal() const { return !first && only_a.empty() && only_b.empty(); }
};

/// DataError if a file cannot be read.
Comparison diff(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace qsweep
