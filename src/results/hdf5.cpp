#include "results/hdf5.h"

namespace qsweep::hdf5 {

namespace {

herr_t take_first(unsigned, const H5E_error2_t* error, void* message) {
  auto& text = *static_cast<std::string*>(message);
  if (text.empty() && error->desc) text = error->desc;
  return 0;
}

}  // namespace

std::string last_message() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &text);  // upward: the innermost comes first
  return text.empty() ? "(HDF5 gives no reason)" : "(HDF5: " + text + ")";
}

void fail(const Place& place, const std::string& what) {
  throw DataError(place.file + ": " + place.object + ": " + what + " " + last_message());
}

void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

bool contains(hid_t file, const std::string& object, const Place& place) {
  if (object == "/") return true;
  for (std::size_t end = object.find('/', 1);; end = object.find('/', end + 1)) {
    if (check(H5Lexists(file, object.substr(0, end).c_str(), H5P_DEFAULT), place, "cannot be looked up") == 0) return false;
    if (end == std::string::npos) return true;
  }
}

TypeHandle string_type(const Place& place) {
  TypeHandle type(H5Tcopy(H5T_C_S1), place, "no string type");
  check(H5Tset_size(type, H5T_VARIABLE), place, "no string type");
  check(H5Tset_cset(type, H5T_CSET_UTF8), place, "no string type");
  return type;
}

}  // namespace qsweep::hdf5
