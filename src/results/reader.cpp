#include "results/reader.h"

#include <algorithm>
#include <cstring>

#include "results/checksum.h"
#include "results/hdf5.h"

namespace qsweep {

using namespace hdf5;

namespace {

constexpr const char* damaged = "it is damaged, or not from qsweep: restore it, or delete it and run again";

void require_regular_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) throw DataError(file.string() + ": no such file: check the path");
  if (error) throw DataError(file.string() + ": cannot be read (" + error.message() + "): check its permissions");
  if (std::filesystem::is_directory(status)) throw DataError(file.string() + ": is a folder, where a results file is wanted");
  if (!std::filesystem::is_regular_file(status)) throw DataError(file.string() + ": is not an ordinary file");
  if (std::filesystem::file_size(file, error) == 0) throw DataError(file.string() + ": is empty: delete it and run again");
}

FileHandle open_file(const std::filesystem::path& file, bool verify) {
  silence();
  const Place place{file.string()};
  require_regular_file(file);
  if (verify && verify_checksum(file.string()) == Checksum::differs)
    throw DataError(file.string() + ": its checksum differs from its content: " + damaged);
  const PropertyHandle access(H5Pcreate(H5P_FILE_ACCESS), place, "cannot be read");
#if H5_VERSION_GE(1, 10, 7)
  check(H5Pset_file_locking(access, 0, 1), place, "cannot be read");
#endif
  if (H5Fis_hdf5(file.c_str()) == 0) throw DataError(file.string() + ": is not an HDF5 file: no results file, or a damaged one; name FILE.h5 or the folder DIR/NAME of an experiment");
  const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDONLY, access);
  if (id < 0) throw DataError(file.string() + ": is not a complete HDF5 file " + last_message() + ": " + damaged);
  return {id, place, "cannot be read"};
}

herr_t collect_link(hid_t, const char* name, const H5L_info_t* link, void* names) {
  static_cast<std::vector<std::pair<std::string, bool>>*>(names)->emplace_back(name, link->type == H5L_TYPE_HARD);
  return 0;
}

herr_t collect_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

/// Names that paths, messages and tables can hold.
void require_plain_name(const std::string& name, const Place& place) {
  const bool plain = !name.empty() && name != "." && name != ".." && std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 32 || c == 127 || c == '/'; });
  if (!plain) throw DataError(place.file + ": " + place.object + ": holds something of a name that qsweep does not give: " + damaged);
}

/// Values that lie in other files could be anything, and anywhere.
void require_own_values(hid_t properties, const Place& place) {
  if (H5Pget_layout(properties) == H5D_VIRTUAL || H5Pget_external_count(properties) > 0)
    throw DataError(place.file + ": " + place.object + ": keeps its values in another file, which qsweep does not do: " + damaged);
}

/// Strings that HDF5 allocated, given back in any case.
struct Strings {
  hid_t type, space;
  std::vector<char*> pointers;
  ~Strings() { H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data()); }
};

/// What attributes and datasets have in common: read(memory type, where to).
template <class Read>
std::vector<std::string> read_strings(hid_t type, hid_t space, std::size_t count, const Place& place, Read read) {
  std::vector<std::string> texts(count);
  if (count == 0) return texts;
  if (check(H5Tis_variable_str(type), place, "has a broken type") > 0) {
    const TypeHandle memory(H5Tcopy(type), place, "has a broken type");
    Strings strings{memory, space, std::vector<char*>(count, nullptr)};
    check(read(memory, strings.pointers.data()), place, "cannot be read");
    for (std::size_t i = 0; i < count; ++i) texts[i] = strings.pointers[i] ? strings.pointers[i] : "";
    return texts;
  }
  const std::size_t length = H5Tget_size(type);
  const TypeHandle memory(H5Tcopy(type), place, "has a broken type");
  std::vector<char> bytes(count * length);
  check(read(memory, bytes.data()), place, "cannot be read");
  for (std::size_t i = 0; i < count; ++i) texts[i].assign(&bytes[i * length], strnlen(&bytes[i * length], length));
  return texts;
}

template <class T, class Read>
std::vector<T> read_numbers(hid_t memory, std::size_t count, const Place& place, Read read) {
  std::vector<T> values(count);
  if (count > 0) check(read(memory, values.data()), place, "cannot be read");
  return values;
}

std::vector<std::size_t> shape_of(hid_t space, const Place& place) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) throw DataError(place.file + ": " + place.object + ": holds nothing");
  const int rank = check(H5Sget_simple_extent_ndims(space), place, "has a broken shape");
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space, sizes.data(), nullptr), place, "has a broken shape");
  return {sizes.begin(), sizes.end()};
}

/// Number of elements. A forged or damaged shape must not make us allocate more than the file can hold; what a filter
/// (compression) packed may be a thousand times larger than on disk.
std::size_t count_of(const std::vector<std::size_t>& shape, std::size_t element_bytes, std::uint64_t limit, const Place& place) {
  std::size_t count = 1;
  const bool empty = std::find(shape.begin(), shape.end(), 0U) != shape.end();
  if (empty) return 0;
  for (const std::size_t size : shape) {
    if (size > limit / std::max<std::size_t>(1, element_bytes) / count)
      throw DataError(place.file + ": " + place.object + ": is said to be larger than the file: " + damaged);
    count *= size;
  }
  return count;
}

[[noreturn]] void refuse_type(const Place& place) {
  throw DataError(place.file + ": " + place.object + ": has a type that qsweep does not write: " + damaged);
}

bool fits_int64(hid_t type) { return H5Tget_size(type) < 8 || (H5Tget_size(type) == 8 && H5Tget_sign(type) == H5T_SGN_2); }

Attribute read_attribute(hid_t object, const std::string& name, std::uint64_t limit, const Place& owner) {
  const Place place{owner.file, owner.object + " attribute " + name};
  const AttributeHandle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), place, "cannot be read");
  const TypeHandle type(H5Aget_type(attribute), place, "has no type");
  const SpaceHandle space(H5Aget_space(attribute), place, "has no shape");
  const auto shape = shape_of(space, place);
  const std::size_t count = count_of(shape, H5Tget_size(type), limit, place);
  const auto read = [&](hid_t memory, void* to) { return H5Aread(attribute, memory, to); };
  if (shape.size() > 1) refuse_type(place);
  const bool scalar = shape.empty();
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_STRING) {
    auto texts = read_strings(type, space, count, place, read);
    return scalar ? Attribute(texts[0]) : Attribute(std::move(texts));
  }
  if (kind == H5T_INTEGER && fits_int64(type)) {
    auto numbers = read_numbers<std::int64_t>(H5T_NATIVE_INT64, count, place, read);
    return scalar ? Attribute(numbers[0]) : Attribute(std::move(numbers));
  }
  if (kind == H5T_FLOAT && scalar) return read_numbers<double>(H5T_NATIVE_DOUBLE, 1, place, read)[0];
  refuse_type(place);
}

}  // namespace

struct Reader::State {
  FileHandle handle;
  std::uint64_t bytes;
};

Reader::Reader(const std::filesystem::path& file, bool verify) : name_(file.string()) {
  state_ = std::make_unique<State>(State{open_file(file, verify), 0});
  state_->bytes = std::filesystem::file_size(file);
}

Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;

bool Reader::contains(const std::string& object) const { return hdf5::contains(state_->handle, object, {name_, object}); }

std::vector<Reader::Entry> Reader::entries(const std::string& group) const {
  if (!contains(group)) return {};
  const Place place{name_, group};
  const GroupHandle handle(H5Gopen2(state_->handle, group.c_str(), H5P_DEFAULT), place, "is not a readable group");
  const PropertyHandle properties(H5Gget_create_plist(handle), place, "is not a readable group");
  unsigned order = 0;
  check(H5Pget_link_creation_order(properties, &order), place, "is not a readable group");
  const H5_index_t index = (order & H5P_CRT_ORDER_TRACKED) ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  std::vector<std::pair<std::string, bool>> names;
  check(H5Literate(handle, index, H5_ITER_INC, nullptr, collect_link, &names), place, "is not a readable group");

  std::vector<Entry> entries;
  for (const auto& [name, hard] : names) {
    require_plain_name(name, place);
    const Place below{name_, (group == "/" ? "" : group) + "/" + name};
    if (!hard) throw DataError(name_ + ": " + below.object + ": is a link, which qsweep does not write");
    const ObjectHandle object(H5Oopen(handle, name.c_str(), H5P_DEFAULT), below, "cannot be read");
    const H5I_type_t type = H5Iget_type(object);
    if (type != H5I_GROUP && type != H5I_DATASET) refuse_type(below);
    entries.push_back({name, type == H5I_GROUP});
  }
  return entries;
}

Attributes Reader::attributes(const std::string& object) const {
  const Place place{name_, object};
  const ObjectHandle handle(H5Oopen(state_->handle, object.c_str(), H5P_DEFAULT), place, "cannot be read");
  std::vector<std::string> names;
  check(H5Aiterate2(handle, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_attribute, &names), place, "cannot be read");
  Attributes found;
  for (const std::string& name : names) {
    require_plain_name(name, place);
    found.emplace(name, read_attribute(handle, name, state_->bytes, place));
  }
  return found;
}

Dataset Reader::dataset(const std::string& group, const std::string& path) const {
  const Place place{name_, group + "/" + path};
  const DatasetHandle handle(H5Dopen2(state_->handle, place.object.c_str(), H5P_DEFAULT), place, "is not a readable dataset");
  const TypeHandle type(H5Dget_type(handle), place, "has no type");
  const SpaceHandle space(H5Dget_space(handle), place, "has no shape");
  const PropertyHandle properties(H5Dget_create_plist(handle), place, "cannot be read");
  require_own_values(properties, place);
  const std::uint64_t limit = state_->bytes * (H5Pget_nfilters(properties) > 0 ? 1100 : 1);

  Dataset dataset{path, "", "", shape_of(space, place), {}};
  const std::size_t element = H5Tget_size(type);
  const std::size_t count = count_of(dataset.shape, element, limit, place);
  const auto read = [&](hid_t memory, void* to) { return H5Dread(handle, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, to); };
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_STRING)
    dataset.values = read_strings(type, space, count, place, read);
  else if (kind == H5T_FLOAT && element <= sizeof(float))
    dataset.values = read_numbers<float>(H5T_NATIVE_FLOAT, count, place, read);
  else if (kind == H5T_FLOAT)
    dataset.values = read_numbers<double>(H5T_NATIVE_DOUBLE, count, place, read);
  else if (kind == H5T_INTEGER && element == 1 && H5Tget_sign(type) == H5T_SGN_NONE)
    dataset.values = read_numbers<std::uint8_t>(H5T_NATIVE_UINT8, count, place, read);
  else if (kind == H5T_INTEGER && fits_int64(type))
    dataset.values = read_numbers<std::int64_t>(H5T_NATIVE_INT64, count, place, read);
  else
    refuse_type(place);
  dataset.attributes = attributes(place.object);
  return dataset;
}

}  // namespace qsweep
