#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// An experiment file (INI, read by Boost.Program_options) with the command line's --set applied: keys and their values, not yet a grid.
namespace qsweep {

/// What one line says: `key = value[, value…]`, values canonical, and where it was said, for messages.
struct Assignment {
  std::string key;                  ///< "model.dimension"; in [sweep.NAME] and [reference] also "reference.model.dimension", of the reference of that
  std::vector<std::string> values;
  std::string source;  ///< "smoke.ini:12" or "--set"
};

/// Keys that advance together: `zip = workers.count run.iterations`.
struct Zip {
  std::vector<std::string> keys;
  std::string source;
};

/// One product of axes: the keys of a section and which of them advance together.
struct Section {
  std::string name;  ///< of [sweep.NAME]; empty for the keys outside
  std::vector<Assignment> assignments;
  std::vector<Zip> zips;

  const Assignment* find(const std::string& key) const;
};

inline constexpr const char* reference_prefix = "reference.";

/// A key without the prefixes that say whose reference's it is, and how many there are.
struct BareKey {
  std::string name;
  std::size_t depth = 0;
};
BareKey bare(std::string key);

struct Experiment {
  std::string file;
  std::string name;               ///< experiment.name
  Section base;
  std::vector<Section> sweeps;    ///< the grid is the union of their products over the base
  std::optional<Section> reference;  ///< keys of the run on which each depends; those with a prefix, of the run on which that one does
};

/// text: content of `file`; sets: "section.key=value[,value…]" of the command line, which win over the file everywhere
/// ("reference.section.key=…" and, where the file has that sweep, "sweep.NAME.section.key=…" address those sections). ConfigError names file, line, key, value and what is allowed.
Experiment parse_experiment(const std::string& text, const std::string& file, const std::vector<std::string>& sets = {});

}  // namespace qsweep
