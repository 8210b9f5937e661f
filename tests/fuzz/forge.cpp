#include "fuzz/forge.h"

#include <fcntl.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "results/checksum.h"
#include "results/hdf5.h"
#include "results/weights.h"

namespace qsweep::fuzz {
namespace {

/// What HDF5 refuses to make is not made: nothing is checked here.
class Id {
 public:
  Id(hid_t id) : id_(id) {}  // NOLINT: HDF5 returns numbers
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Id& operator=(Id&&) = delete;
  ~Id() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
};

constexpr std::array<const char*, 34> objects = {"", "curves", "curves/iteration", "curves/loss", "curves/average_loss", "curves/average_regret", "final", "final/loss", "final/average_loss",
    "final/average_regret", "final/test_accuracy", "final/best_test_accuracy", "final/share_global", "final/weights", "final/weights/fc1", "final/weights/fc1/weight", "final/quantized_weights/fc1/weight",
    "final/quantized_weights/fc1/weight/codes", "final/quantized_weights/fc1/weight/levels", "final/quantized_weights/fc1/weight/scale", "bound", "bound/printed", "bound/u1", "bound/u2",
    "bound/slow_down", "bound/u1_holds", "bound/u2_u3_hold", "problem", "problem/v_star", "provenance", "checkpoint", "checkpoint/scales", "runtime/total", "compression/loss"};
constexpr std::array<const char*, 28> attributes = {"format", "format_version", "experiment", "settings", "axes", "status", "iterations", "diverged_iteration", "unit", "long_name", "version", "bits",
    "shape", "model.dimension", "model.kind", "weights.quantizer", "gradients.quantizer", "gradients.clip", "optimizer.kind", "optimizer.schedule", "run.seed", "run.iterations", "workers.count", "commit",
    "blas_kernel", "experiment.method", "theory.measure", "run.epochs"};

/// Mostly a name that means something; at times any.
template <std::size_t Count>
std::string name_of(const std::array<const char*, Count>& known, Draws& draws) {
  const std::size_t which = draws.byte();
  return which < 240 ? known[which % Count] : draws.text(1 + draws.below(8));
}

std::string path_of(const std::string& id, Draws& draws) {
  const std::size_t where = draws.below(16);
  if (where == 0) return "/";
  if (where == 1) return "/runs";
  if (where == 2) return "/runs/" + draws.text(1 + draws.below(4));
  const std::string below = name_of(objects, draws);
  return "/runs/" + id + (below.empty() ? "" : "/" + below);
}

struct Type {
  Id id;
  bool pointers = false;  ///< values are char* or hvl_t: they cannot be made of any bytes
};

Type string_of(std::size_t size, H5T_str_t padding, H5T_cset_t set) {
  Type type{H5Tcopy(H5T_C_S1), size == H5T_VARIABLE};
  H5Tset_size(type.id, size), H5Tset_strpad(type.id, padding), H5Tset_cset(type.id, set);
  return type;
}

Type number_of(hid_t known) { return {H5Tcopy(known)}; }

/// Numbers of a layout of their own: so many bits of so many bytes.
Type odd_number(hid_t known, Draws& draws) {
  Type type = number_of(known);
  const std::size_t bytes = 1 + draws.below(8), offset = draws.below(4);
  H5Tset_size(type.id, bytes);
  H5Tset_precision(type.id, 1 + draws.below(8 * bytes));
  H5Tset_offset(type.id, offset);
  H5Tset_order(type.id, draws.below(2) == 0 ? H5T_ORDER_LE : H5T_ORDER_BE);
  return type;
}

Type type_of(Draws& draws) {
  const std::array<hid_t, 10> numbers = {H5T_NATIVE_DOUBLE, H5T_NATIVE_FLOAT, H5T_NATIVE_INT64, H5T_NATIVE_INT32, H5T_NATIVE_UINT8,
                                         H5T_NATIVE_INT8,   H5T_NATIVE_UINT64, H5T_STD_I16BE,   H5T_IEEE_F64BE,  H5T_NATIVE_LDOUBLE};
  const std::size_t which = draws.below(22);
  if (which < numbers.size()) return number_of(numbers[which]);
  switch (which) {
    case 10: case 11: return string_of(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_UTF8);
    case 12: return string_of(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_ASCII);
    case 13: return string_of(1 + draws.below(40), draws.below(2) == 0 ? H5T_STR_NULLPAD : H5T_STR_SPACEPAD, H5T_CSET_UTF8);
    case 14: return string_of(1 + draws.word() * 4096, H5T_STR_NULLTERM, H5T_CSET_ASCII);
    case 15: return odd_number(H5T_NATIVE_INT64, draws);
    case 16: return {H5Tvlen_create(H5T_NATIVE_DOUBLE), true};
    case 17: {
      const hsize_t extent[] = {1 + draws.below(5)};
      return {H5Tarray_create2(H5T_NATIVE_DOUBLE, 1, extent)};
    }
    case 18: {
      Type compound{H5Tcreate(H5T_COMPOUND, 16)};
      H5Tinsert(compound.id, "re", 0, H5T_NATIVE_DOUBLE), H5Tinsert(compound.id, "im", 8, H5T_NATIVE_DOUBLE);
      return compound;
    }
    case 19: {
      Type boolean{H5Tenum_create(H5T_NATIVE_INT8)};  // as h5py writes True
      const signed char no = 0, yes = 1;
      H5Tenum_insert(boolean.id, "FALSE", &no), H5Tenum_insert(boolean.id, "TRUE", &yes);
      return boolean;
    }
    case 20: return {H5Tcreate(H5T_OPAQUE, 1 + draws.below(16))};
    default: return {H5Tcopy(draws.below(2) == 0 ? H5T_STD_REF_OBJ : H5T_STD_B32LE)};
  }
}

struct Extent {
  Id id;
  std::vector<hsize_t> sizes;
};

Extent extent_of(Draws& draws) {
  const std::size_t which = draws.below(12);
  if (which < 4) return {H5Screate(H5S_SCALAR), {}};
  if (which == 4) return {H5Screate(H5S_NULL), {}};
  std::vector<hsize_t> sizes(which < 9 ? 1 : which < 11 ? 2 : 1 + draws.below(8));
  for (hsize_t& size : sizes) {
    const std::size_t code = draws.byte();
    size = code < 200 ? code % 8 : hsize_t{1} << (code - 200);
  }
  return {H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), sizes};
}

/// Writes values made of the bytes where they are few; else what HDF5 leaves there.
template <class Write>
void fill(const Type& type, const Extent& extent, Draws& draws, Write write) {
  const hssize_t count = H5Sget_simple_extent_npoints(extent.id);
  const std::size_t size = H5Tget_size(type.id);
  if (count <= 0 || size == 0 || static_cast<std::size_t>(count) > 4096 / size) return;
  const auto n = static_cast<std::size_t>(count);
  if (!type.pointers) {
    std::vector<char> values(n * size);
    const std::string bytes = draws.text(1 + draws.below(32));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = bytes.empty() ? '\0' : bytes[i % bytes.size()];
    write(values.data());
  } else if (H5Tget_class(type.id) == H5T_STRING) {
    const std::string text = draws.text(draws.below(64));
    const std::vector<const char*> values(n, text.c_str());
    write(values.data());
  } else {
    double numbers[2] = {1, 2};
    const std::vector<hvl_t> values(n, hvl_t{2, numbers});
    write(values.data());
  }
}

void put_attribute(hid_t object, const std::string& name, Draws& draws) {
  const Type type = type_of(draws);
  const Extent extent = extent_of(draws);
  H5Adelete(object, name.c_str());
  const Id made = H5Acreate2(object, name.c_str(), type.id, extent.id, H5P_DEFAULT, H5P_DEFAULT);
  if (made >= 0) fill(type, extent, draws, [&](const void* values) { H5Awrite(made, type.id, values); });
}

Id properties_of(const Extent& extent, Draws& draws) {
  Id properties = H5Pcreate(H5P_DATASET_CREATE);
  const std::size_t which = draws.below(8);
  const std::vector<hsize_t> chunk(std::max<std::size_t>(extent.sizes.size(), 1), 1 + draws.below(4));
  if (which >= 3 && which <= 5) H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
  if (which == 4) H5Pset_deflate(properties, 6);
  if (which == 5) H5Pset_fletcher32(properties);
  if (which == 6) H5Pset_layout(properties, H5D_COMPACT);
  if (which == 7) H5Pset_external(properties, "/dev/zero", 0, H5F_UNLIMITED);
  return properties;
}

/// HDF5 1.10 can make datasets that it cannot close again, and crashes over them when the process ends: it does not tidy up then.
[[maybe_unused]] const herr_t no_tidying_up = H5dont_atexit();

void put_dataset(hid_t file, const std::string& path, hid_t links, Draws& draws) {
  const Type type = type_of(draws);
  const Extent extent = extent_of(draws);
  const Id properties = properties_of(extent, draws);
  H5Ldelete(file, path.c_str(), H5P_DEFAULT);
  const Id made = H5Dcreate2(file, path.c_str(), type.id, extent.id, links, properties, H5P_DEFAULT);
  if (made < 0) return;
  fill(type, extent, draws, [&](const void* values) { H5Dwrite(made, type.id, H5S_ALL, H5S_ALL, H5P_DEFAULT, values); });
  if (draws.below(8) == 0) return;  // without what every dataset has
  const Type words = string_of(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_UTF8);
  const Id scalar = H5Screate(H5S_SCALAR);
  for (const char* name : {"unit", "long_name"}) {
    const Id attribute = H5Acreate2(made, name, words.id, scalar, H5P_DEFAULT, H5P_DEFAULT);
    const char* const text = "1";
    H5Awrite(attribute, words.id, &text);
  }
}

void put_link(hid_t file, const std::string& path, const std::string& target, hid_t links, Draws& draws) {
  switch (draws.below(4)) {
    case 0: H5Lcreate_soft(target.c_str(), file, path.c_str(), links, H5P_DEFAULT); break;
    case 1: H5Lcreate_external("/dev/zero", "/", file, path.c_str(), links, H5P_DEFAULT); break;
    case 2: H5Lcreate_hard(file, target.c_str(), file, path.c_str(), links, H5P_DEFAULT); break;
    default: {
      const Type type = type_of(draws);
      H5Tcommit2(file, path.c_str(), type.id, links, H5P_DEFAULT, H5P_DEFAULT);
    }
  }
}

void change(hid_t file, const std::string& id, hid_t links, Draws& draws) {
  const std::size_t verb = draws.below(8);
  const std::string path = path_of(id, draws);
  if (verb == 0) {
    H5Ldelete(file, path.c_str(), H5P_DEFAULT);
  } else if (verb == 1) {
    H5Adelete_by_name(file, path.c_str(), name_of(attributes, draws).c_str(), H5P_DEFAULT);
  } else if (verb <= 3) {
    const Id object = H5Oopen(file, path.c_str(), H5P_DEFAULT);
    const std::string name = name_of(attributes, draws);
    if (object >= 0) put_attribute(object, name, draws);
  } else if (verb <= 5) {
    put_dataset(file, path, links, draws);
  } else if (verb == 6) {
    const Id group = H5Gcreate2(file, path.c_str(), links, H5P_DEFAULT, H5P_DEFAULT);
  } else {
    put_link(file, path, path_of(id, draws), links, draws);
  }
}

}  // namespace

Results sound_results(const std::string& id) {
  const std::vector<std::size_t> three = {3};
  Record run{id, {}, {}, {}};
  run.attributes = {{"model.dimension", std::int64_t{6}}, {"model.kind", std::string("linear")}, {"optimizer.learning_rate", 0.1}, {"weights.quantizer", std::string("lat")},
                    {"gradients.quantizer", std::string("sq2")}, {"gradients.clip", std::string("none")}, {"optimizer.milestones", std::vector<std::int64_t>{80, 140}},
                    {"run.seed", std::int64_t{1}}, {"run.iterations", std::int64_t{3}}, {"workers.count", std::int64_t{1}}, {"iterations", std::int64_t{3}}, {"status", std::string("complete")}};
  const auto curve = [&](const std::string& path, std::vector<double> values) { run.datasets.push_back({path, "loss", path, three, std::move(values)}); };
  const auto scalar = [&](const std::string& path, double value) { run.datasets.push_back({path, "1", path, {}, std::vector<double>{value}}); };
  run.datasets = {{"curves/iteration", "iteration", "iteration", three, std::vector<std::int64_t>{1, 2, 3}},
                  {"problem/v_star", "1", "v*", {1, 2}, std::vector<double>{1, -1}},
                  {"checkpoint/scales", "1", "scales", {2}, std::vector<float>{1, 2}},
                  {"checkpoint/names", "1", "names", {2}, std::vector<std::string>{"größe", ""}},
                  weights_dataset("fc1/weight", {2, 3}, std::vector<float>{1, -2, 3, 4, 0, -0.0F})};
  for (const char* path : {"curves/loss", "curves/average_loss", "curves/average_regret", "bound/printed", "bound/u1", "bound/u2", "bound/u3"}) curve(path, {3, 2, 1});
  for (const char* path : {"final/loss", "final/average_loss", "final/average_regret", "final/test_accuracy", "bound/slow_down", "bound/u1_holds", "bound/u2_u3_hold", "runtime/total"}) scalar(path, 1);
  for (Dataset& part : quantized_weights_datasets("fc1/weight", {{2, 3}, 2, {0, 1, 2, 2, 1, 0}, {-1, 0, 1}, 0.25F})) run.datasets.push_back(std::move(part));
  run.groups = {{"provenance", {{"commit", std::string("abc")}, {"ranks", std::int64_t{2}}}}, {"checkpoint", {{"version", std::int64_t{1}}, {"blas_kernel", std::string("Haswell")}}}};
  return {"fuzz", "[model]\ndimension = 6\n", {"model.dimension", "run.seed"}, {std::move(run)}};
}

void forge(const std::filesystem::path& file, const std::string& id, Draws& draws) {
  hdf5::silence();
  {
    const Id opened = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    hold(opened >= 0, "HDF5 opens a sound file");
    const Id links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    for (int changes = 0; changes < 16 && draws.more(); ++changes) change(opened, id, links, draws);
  }
  const int descriptor = open(file.c_str(), O_RDWR | O_CLOEXEC);
  hold(descriptor >= 0 && append_checksum(descriptor) == 0, "the checksum is appended");
  close(descriptor);
}

}  // namespace qsweep::fuzz
