#include "results/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include "results/checksum.h"
#include "results/driver.h"
#include "results/hdf5.h"
#include "results/provenance.h"

namespace qsweep {

using namespace hdf5;

namespace {

std::string temporary_mark() { return ".tmp-" + host_name() + "-"; }

std::filesystem::path folder_of(const std::filesystem::path& file) { return file.has_parent_path() ? file.parent_path() : "."; }

[[noreturn]] void fail_to_write(const std::filesystem::path& file, int error) {
  std::string advice = "check the folder " + folder_of(file).string();
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    advice = "free space there, or raise the quota or file-size limit, and run the same command again";
  else if (error == ENOENT)
    advice = "make the folder " + folder_of(file).string() + ", or name another";
  else if (error == EACCES || error == EPERM || error == EROFS)
    advice = "name a folder in which you may write";
  else if (error == ENOTDIR || error == EISDIR)
    advice = "a file stands where a folder should, or a folder where the file should: name another";
  throw DataError(file.string() + ": cannot be written (" + std::strerror(error) + "): " + advice);
}

/// fsync of a folder makes a rename last; some file systems know no such thing and say EINVAL.
int synchronize_folder(const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  close(descriptor);
  return error;
}

void require_name(const std::string& path) {
  for (const auto& part : std::filesystem::path(path))
    if (part.empty() || part == "." || part == "..") throw std::invalid_argument("results: bad object name '" + path + "'");
  if (path.empty() || path.front() == '/' || path.find("//") != std::string::npos)
    throw std::invalid_argument("results: bad object name '" + path + "'");
}

/// HDF5 takes strings that end at their first zero byte: refuse to cut one silently.
const char* c_string(const std::string& text, const Place& place) {
  if (text.find('\0') != std::string::npos) throw DataError(place.file + ": " + place.object + ": a string holds a zero byte");
  return text.c_str();
}

struct Memory {
  hid_t type;
  const void* data;
  std::size_t count;
};

/// The values as HDF5 takes them: strings by pointers, which `pointers` holds.
template <class T>
Memory memory(const T& value, hid_t strings, const Place& place, std::vector<const char*>& pointers) {
  if constexpr (std::is_same_v<T, std::string>) {
    pointers.push_back(c_string(value, place));
    return {strings, pointers.data(), 1};
  }
  if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    for (const std::string& text : value) pointers.push_back(c_string(text, place));
    return {strings, pointers.data(), pointers.size()};
  }
  if constexpr (std::is_same_v<T, double>) return {H5T_NATIVE_DOUBLE, &value, 1};
  if constexpr (std::is_same_v<T, std::int64_t>) return {H5T_NATIVE_INT64, &value, 1};
  if constexpr (std::is_same_v<T, std::vector<double>>) return {H5T_NATIVE_DOUBLE, value.data(), value.size()};
  if constexpr (std::is_same_v<T, std::vector<float>>) return {H5T_NATIVE_FLOAT, value.data(), value.size()};
  if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) return {H5T_NATIVE_INT64, value.data(), value.size()};
  if constexpr (std::is_same_v<T, std::vector<std::uint8_t>>) return {H5T_NATIVE_UINT8, value.data(), value.size()};
}

SpaceHandle space(const std::vector<std::size_t>& shape, const Place& place) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), place, "cannot be written"};
  const std::vector<hsize_t> sizes(shape.begin(), shape.end());
  return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), place, "cannot be written"};
}

void write_attribute(hid_t object, const Place& place, const std::string& name, const Attribute& value) {
  const TypeHandle strings = string_type(place);
  std::vector<const char*> pointers;
  std::visit(
      [&](const auto& known) {
        using T = std::decay_t<decltype(known)>;
        const auto [type, data, count] = memory(known, strings, place, pointers);
        const bool scalar = std::is_same_v<T, std::string> || std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>;
        const SpaceHandle extent = space(scalar ? std::vector<std::size_t>{} : std::vector<std::size_t>{count}, place);
        const AttributeHandle made(H5Acreate2(object, name.c_str(), type, extent, H5P_DEFAULT, H5P_DEFAULT), place,
                                   ("attribute " + name + " cannot be written").c_str());
        if (count > 0) check(H5Awrite(made, type, data), place, ("attribute " + name + " cannot be written").c_str());
      },
      value);
}

}  // namespace

struct Writer::State {
  std::filesystem::path file, temporary;
  Sink sink;
  std::optional<FileHandle> handle;

  explicit State(std::filesystem::path name) : file(std::move(name)) {
    temporary = file.string() + temporary_mark() + std::to_string(getpid());
    sink.descriptor = open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (sink.descriptor < 0) fail_to_write(file, errno);
  }
  ~State() {
    handle.reset();
    if (sink.descriptor >= 0) close(sink.descriptor);
    if (!temporary.empty()) unlink(temporary.c_str());
  }

  Place place(const std::string& object) const { return {file.string(), object}; }
  void require_written() const {
    if (sink.error != 0) fail_to_write(file, sink.error);
  }
  PropertyHandle with_groups(const Place& where) const {
    PropertyHandle links(H5Pcreate(H5P_LINK_CREATE), where, "cannot be written");
    check(H5Pset_create_intermediate_group(links, 1), where, "cannot be written");
    return links;
  }
  ObjectHandle open_or_create_group(const std::string& group) const {
    const Place where = place(group);
    if (contains(*handle, group, where)) return {H5Oopen(*handle, group.c_str(), H5P_DEFAULT), where, "cannot be opened"};
    return {H5Gcreate2(*handle, group.c_str(), with_groups(where), H5P_DEFAULT, H5P_DEFAULT), where, "cannot be written"};
  }
};

Writer::Writer(std::filesystem::path file) {
  silence();
  state_ = std::make_unique<State>(std::move(file));
  state_->handle.emplace(create_file(state_->sink), state_->place("/"), "cannot be written");
  state_->require_written();
}

Writer::~Writer() = default;

void Writer::ordered_group(const std::string& group) {
  const Place where = state_->place(group);
  const PropertyHandle properties(H5Pcreate(H5P_GROUP_CREATE), where, "cannot be written");
  check(H5Pset_link_creation_order(properties, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), where, "cannot be written");
  GroupHandle(H5Gcreate2(*state_->handle, group.c_str(), state_->with_groups(where), properties, H5P_DEFAULT), where,
              "cannot be written");
  state_->require_written();
}

void Writer::attributes(const std::string& group, const Attributes& values) {
  if (group != "/") require_name(group.substr(1));
  const ObjectHandle object = state_->open_or_create_group(group);
  for (const auto& [name, value] : values) write_attribute(object, state_->place(group), name, value);
  state_->require_written();
}

void Writer::dataset(const std::string& group, const Dataset& dataset) {
  require_name(dataset.path);
  const Place where = state_->place(group + "/" + dataset.path);
  const TypeHandle strings = string_type(where);
  std::vector<const char*> pointers;
  const auto [type, data, count] =
      std::visit([&](const auto& values) { return memory(values, strings, where, pointers); }, dataset.values);
  if (count != std::accumulate(dataset.shape.begin(), dataset.shape.end(), std::size_t{1}, std::multiplies<>()))
    throw std::invalid_argument("results: " + dataset.path + ": shape and number of values differ");

  const PropertyHandle properties(H5Pcreate(H5P_DATASET_CREATE), where, "cannot be written");
  check(H5Pset_obj_track_times(properties, 0), where, "cannot be written");  // equal runs give equal files
  const SpaceHandle extent = space(dataset.shape, where);
  const PropertyHandle links = state_->with_groups(where);
  const DatasetHandle made(H5Dcreate2(*state_->handle, where.object.c_str(), type, extent, links, properties, H5P_DEFAULT), where,
                           "cannot be written");
  if (count > 0) check(H5Dwrite(made, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), where, "cannot be written");
  write_attribute(made, where, "unit", dataset.unit);
  write_attribute(made, where, "long_name", dataset.long_name);
  for (const auto& [name, value] : dataset.attributes) write_attribute(made, where, name, value);
  state_->require_written();
}

void Writer::finish() {
  State& state = *state_;
  state.handle->close(state.place("/"));
  state.handle.reset();
  state.require_written();
  if (const int error = append_checksum(state.sink.descriptor)) fail_to_write(state.file, error);
  if (fsync(state.sink.descriptor) != 0) fail_to_write(state.file, errno);
  if (close(std::exchange(state.sink.descriptor, -1)) != 0) fail_to_write(state.file, errno);
  if (std::rename(state.temporary.c_str(), state.file.c_str()) != 0) fail_to_write(state.file, errno);
  state.temporary.clear();
  if (const int error = synchronize_folder(folder_of(state.file))) fail_to_write(state.file, error);
}

}  // namespace qsweep
