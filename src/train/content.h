#pragma once
#include <functional>
#include <string>

namespace qsweep {

/// Hash of the content of the file that a value of model.initial or problem.start ("FILE.h5" or "FILE.h5:RUN_ID") names, and of the id. DataError if it cannot be read.
std::string content_hash(const std::string& initial);

/// The same, reading each file once for a whole grid.
std::function<std::string(const std::string& initial)> content_hashes();

}  // namespace qsweep
