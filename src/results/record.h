#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

/// What a results file holds, as plain values: the trainer fills it, src/results writes and reads it, nothing else knows HDF5.
namespace qsweep {

using Attribute = std::variant<std::string, double, std::int64_t, std::vector<std::string>, std::vector<std::int64_t>>;
using Attributes = std::map<std::string, Attribute>;

/// One array below a run's group. A scalar has an empty shape and one value.
struct Dataset {
  std::string path;       ///< below /runs/<id>: "curves/loss", "final/weights/fc1/weight"
  std::string unit;       ///< "1" if dimensionless
  std::string long_name;  ///< what a reader sees on an axis
  std::vector<std::size_t> shape;
  std::variant<std::vector<double>, std::vector<float>, std::vector<std::int64_t>, std::vector<std::uint8_t>,
               std::vector<std::string>>
      values;
  Attributes attributes = {};  ///< beside unit and long_name
};

/// One run: /runs/<id>.
struct Record {
  std::string id;
  Attributes attributes;                          ///< every effective key under its own name, status, …
  std::vector<Dataset> datasets;                  ///< in any order; read back sorted by path
  std::map<std::string, Attributes> groups = {};  ///< attributes of groups below the run: "provenance"

  const Dataset* find(const std::string& path) const {
    for (const Dataset& d : datasets)
      if (d.path == path) return &d;
    return nullptr;
  }
};

/// One results file: a run's own (one record) or a collected one.
struct Results {
  std::string experiment;         ///< experiment.name
  std::string settings;           ///< effective text of the experiment file
  std::vector<std::string> axes;  ///< keys with more than one value in the grid
  std::vector<Record> runs;
};

}  // namespace qsweep
