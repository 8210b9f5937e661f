#pragma once
#include <functional>
#include <string>
#include <vector>

#include "config/settings.h"

/// The table of all keys of an experiment file. Adding a key is one row here and one line in `settings_of`.
namespace qsweep {

struct Key {
  std::string name;     ///< "model.dimension"
  std::string meaning;  ///< one line, with the unit
  std::string allowed;  ///< as an error message says it
  /// The canonical text of a value. Throws std::invalid_argument if the value is not allowed.
  std::function<std::string(const std::string&)> canonical;
  /// The default at a point whose earlier keys (in table order) are already effective.
  std::function<std::string(const Point&)> default_value;
  /// Whether the key means anything at such a point; empty: always.
  std::function<bool(const Point&)> applies;
  std::string needs;             ///< what must hold for it to apply, for the message
  bool decides_result = true;    ///< false: not part of the run id (experiment.name, data.dir, run.checkpoint_every)
};

const std::vector<Key>& keys();
const Key* find_key(const std::string& name);
bool decides_result(const std::string& name);  ///< also true of a key that is not known here: another version's

/// Fills in defaults, sets keys without meaning to "-". `given` holds canonical values.
Point effective_point(const Point& given);

/// The sorted keys of a point that differ from their defaults, "key = value" lines: what the run id is made of.
std::string identity_text(const Point& effective);

/// First 16 hex digits of sha256(text).
std::string short_hash(const std::string& text);

/// Typed settings of an effective point.
Settings settings_of(Point effective);

/// "model.dimension" -> "dimension", "weights.quantizer" -> "weights": what tells the axes of one grid apart in little room.
std::string short_name(const std::string& key);

/// For someone who mistyped `name`: the key with the fewest letters to change. Without a point a name is meant as a section or as the
/// key in it, and there may be several ("quantizer": that of the weights, that of the gradients).
std::string nearest_keys(const std::string& name);

/// The table of keys for people: of one section ("data"), of one key, or all if it is empty. ConfigError for another name.
std::string keys_text(const std::string& section, int columns);

/// An impossible combination: the key to blame and what is allowed there.
struct Conflict {
  std::string key, reason;
};
std::optional<Conflict> find_conflict(const Settings&);
std::optional<Conflict> find_two_layer_conflict(const Settings&);  ///< of method = coarse_gradient

}  // namespace qsweep
