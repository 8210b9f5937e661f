#pragma once
#include <string>

namespace qsweep {

/// Hash of the content of the file that a model.initial value ("FILE.h5" or "FILE.h5:RUN_ID") names, and of the id. DataError if it cannot be read.
std::string content_hash(const std::string& initial);

}  // namespace qsweep
