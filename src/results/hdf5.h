#pragma once
#include <hdf5.h>

#include <string>
#include <utility>

#include "base/errors.h"

/// What every file here that speaks to HDF5 shares: identifiers that close themselves, and errors as DataError.
namespace qsweep::hdf5 {

/// A place in a file, for messages: "FILE: /runs/x/curves/loss: …".
struct Place {
  std::string file;
  std::string object = "/";
};

/// Throws DataError "FILE: OBJECT: what (HDF5: its innermost message)".
[[noreturn]] void fail(const Place&, const std::string& what);

/// HDF5's innermost message about the call that failed last, as "(HDF5: …)".
std::string last_message();

/// What an HDF5 call returned; throws if that is its error value.
template <class Result>
Result check(Result result, const Place& place, const char* what) {
  if (result < 0) fail(place, what);
  return result;
}

/// HDF5 prints its error stack to stderr unless told not to: call before anything else.
void silence();

/// An identifier that is closed at the end of its scope. Never holds an invalid one; closing never throws.
template <herr_t (*Close)(hid_t)>
class Handle {
 public:
  Handle(hid_t id, const Place& place, const char* what) : id_(check(id, place, what)) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) Close(id_);
  }
  operator hid_t() const { return id_; }

  /// Closes now, for those who must know whether that worked.
  void close(const Place& place) { check(Close(std::exchange(id_, -1)), place, "cannot be closed"); }

 private:
  hid_t id_;
};

using FileHandle = Handle<H5Fclose>;
using GroupHandle = Handle<H5Gclose>;
using ObjectHandle = Handle<H5Oclose>;
using DatasetHandle = Handle<H5Dclose>;
using AttributeHandle = Handle<H5Aclose>;
using SpaceHandle = Handle<H5Sclose>;
using TypeHandle = Handle<H5Tclose>;
using PropertyHandle = Handle<H5Pclose>;

/// Whether an object of this path is there: HDF5 must be asked for each link on the way in turn.
bool contains(hid_t file, const std::string& object, const Place&);

/// Variable-length UTF-8, the only kind of string that qsweep writes.
TypeHandle string_type(const Place&);

}  // namespace qsweep::hdf5
