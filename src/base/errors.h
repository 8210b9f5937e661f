#pragma once
#include <stdexcept>
#include <string>

/// Errors by whose they are; the program's exit code follows from the type (apps/qsweep.cpp).
namespace qsweep {

/// The user's experiment file or command line is wrong: names file, line, key, value and what is allowed. Exit 2.
/// Every rank throws the same one.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A data, results or checkpoint file is missing, damaged or cannot be written: names the file and what to do. Exit 3.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Stopped on request after saving everything; the same command goes on where it stopped. Exit 75.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace qsweep
