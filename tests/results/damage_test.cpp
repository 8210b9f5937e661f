// Files that are not what their name says: each must give a DataError that names the file, and never a crash.
#include <hdf5.h>

#include <functional>

#include "results/collect.h"
#include "results/diff.h"
#include "results/sample.h"

namespace qsweep {
namespace {

class DamageTest : public Folder {
 protected:
  std::filesystem::path file = folder / "forged.h5";

  /// A file of qsweep's with one run, changed through HDF5 itself.
  void forge(const std::function<void(hid_t)>& change) const {
    write_results(file, sample_results({"x"}));
    const hid_t id = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(id, 0);
    change(id);
    ASSERT_GE(H5Fclose(id), 0);
  }
  std::string error() const {
    return data_error([&] { read_results(file); });
  }
};

void write_scalar(hid_t file, const char* object, const char* name, hid_t type, const void* value) {
  const hid_t at = H5Oopen(file, object, H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
  H5Adelete(at, name);
  const hid_t attribute = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Awrite(attribute, type, value), 0);
  H5Aclose(attribute), H5Sclose(space), H5Oclose(at);
}

void make_dataset(hid_t file, const char* path, hid_t type, std::vector<hsize_t> shape, hid_t properties = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  ASSERT_GE(dataset, 0);
  H5Dclose(dataset), H5Sclose(space);
}

TEST_F(DamageTest, no_file_at_all) {
  EXPECT_TRUE(mentions(error(), {"forged.h5", "no such file"}));
  EXPECT_TRUE(mentions(data_error([&] { read_results(folder); }), {folder.string(), "folder"}));
  EXPECT_TRUE(mentions(data_error([&] { read_results("/dev/null"); }), {"/dev/null", "not an ordinary file"}));
}

TEST_F(DamageTest, files_of_other_kinds) {
  write_bytes(file, "");
  EXPECT_TRUE(mentions(error(), {"forged.h5", "empty"}));
  write_bytes(file, "iteration,loss\n1,2\n");
  EXPECT_TRUE(mentions(error(), {"forged.h5", "not an HDF5 file"}));
  const hid_t other = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Fclose(other), 0);
  EXPECT_TRUE(mentions(error(), {"forged.h5", "another program"}));
  EXPECT_TRUE(mentions(data_error([&] { read_weights(file); }), {"another program"}));
}

TEST_F(DamageTest, truncated_anywhere) {
  write_results(folder / "whole.h5", sample_results({"x"}));
  const std::string whole = bytes_of(folder / "whole.h5");
  for (std::size_t part = 1; part < 64; ++part) {  // the 24 bytes of the checksum are behind HDF5's end
    write_bytes(file, whole.substr(0, whole.size() * part / 64));
    EXPECT_TRUE(mentions(error(), {"forged.h5", "not a complete HDF5 file"})) << part;
    EXPECT_TRUE(mentions(data_error([&] { read_weights(file); }), {"forged.h5"})) << part;
    EXPECT_TRUE(mentions(data_error([&] { diff(folder / "whole.h5", file); }), {"forged.h5"})) << part;
  }
  write_bytes(file, whole.substr(0, whole.size() - 25));
  EXPECT_TRUE(mentions(error(), {"forged.h5", "not a complete HDF5 file"}));
}

TEST_F(DamageTest, versions) {
  for (const std::int64_t version : {0, 2, -1}) {
    forge([&](hid_t id) { write_scalar(id, "/", "format_version", H5T_NATIVE_INT64, &version); });
    EXPECT_TRUE(mentions(error(), {"forged.h5", "version " + std::to_string(version), "reads version 1"}));
  }
  const double half = 1;
  forge([&](hid_t id) { write_scalar(id, "/", "format_version", H5T_NATIVE_DOUBLE, &half); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "integer", "format_version"}));
  forge([](hid_t id) { H5Adelete(id, "format_version"); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "format_version"}));
}

TEST_F(DamageTest, attributes_of_wrong_types) {
  for (const char* name : {"experiment", "settings", "axes"}) {
    const std::int64_t number = 1;
    forge([&](hid_t id) { write_scalar(id, "/", name, H5T_NATIVE_INT64, &number); });
    EXPECT_TRUE(mentions(error(), {"forged.h5", name}));
  }
  const std::uint64_t huge = 1;
  forge([&](hid_t id) { write_scalar(id, "/runs/x", "run.seed", H5T_NATIVE_UINT64, &huge); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x", "run.seed", "type"}));
  forge([&](hid_t id) { write_scalar(id, "/runs/x/curves/loss", "unit", H5T_NATIVE_UINT64, &huge); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves/loss", "unit"}));
  forge([](hid_t id) {
    const hid_t loss = H5Oopen(id, "/runs/x/curves/loss", H5P_DEFAULT);
    H5Adelete(loss, "long_name"), H5Oclose(loss);
  });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves/loss", "long_name"}));
}

TEST_F(DamageTest, datasets_of_wrong_types) {
  const hid_t compound = H5Tcreate(H5T_COMPOUND, 16);
  H5Tinsert(compound, "a", 0, H5T_NATIVE_DOUBLE);
  forge([&](hid_t id) { make_dataset(id, "/runs/x/curves/pair", compound, {1}); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves/pair", "type"}));
  forge([&](hid_t id) { make_dataset(id, "/runs/x/curves/big", H5T_NATIVE_UINT64, {1}); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves/big", "type"}));
  forge([&](hid_t id) { make_dataset(id, "/runs/y", H5T_NATIVE_DOUBLE, {1}); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/y", "run"}));
  forge([&](hid_t id) { make_dataset(id, "/runs/x/final/weights/fc2", H5T_NATIVE_INT64, {0}); });
  EXPECT_TRUE(mentions(data_error([&] { read_weights(file); }), {"forged.h5", "final/weights/fc2", "floating-point"}));
  forge([](hid_t id) {
    const hid_t type = H5Tcopy(H5T_NATIVE_DOUBLE);
    H5Tcommit2(id, "/runs/x/type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
  });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/type", "type"}));
  H5Tclose(compound);
}

// A chunked dataset without chunks takes no space on disk: its size must not be believed.
TEST_F(DamageTest, absurd_sizes) {
  const hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[2] = {1, 1};
  for (const std::vector<hsize_t>& shape :
       {std::vector<hsize_t>{hsize_t{1} << 40}, {hsize_t{1} << 30, hsize_t{1} << 30}, {1, hsize_t{1} << 62}}) {
    H5Pset_chunk(chunked, static_cast<int>(shape.size()), chunk);
    for (const hid_t type : {H5T_NATIVE_DOUBLE, H5T_NATIVE_UINT8}) {
      forge([&](hid_t id) { make_dataset(id, "/runs/x/curves/endless", type, shape, chunked); });
      EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves/endless", "larger than the file"}));
    }
  }
  H5Pclose(chunked);
}

TEST_F(DamageTest, links_and_circles) {
  forge([](hid_t id) { H5Lcreate_soft("/runs/x", id, "/runs/x/again", H5P_DEFAULT, H5P_DEFAULT); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/again", "link"}));
  forge([](hid_t id) { H5Lcreate_hard(id, "/runs/x", id, "/runs/x/again", H5P_DEFAULT, H5P_DEFAULT); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "deep"}));
}

// One byte changed anywhere.
TEST_F(DamageTest, any_changed_byte_is_found) {
  write_results(folder / "whole.h5", sample_results({"x"}));
  const std::string whole = bytes_of(folder / "whole.h5");
  for (std::size_t at = 0; at < whole.size() - 24; at += 1 + whole.size() / 600) {  // but for the checksum itself
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    write_bytes(file, bytes);
    EXPECT_TRUE(mentions(error(), {"forged.h5", "checksum"})) << at;
    EXPECT_TRUE(mentions(data_error([&] { read_run_attributes(file); }), {"forged.h5", "checksum"})) << at;
  }
  std::string bytes = whole;
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_bytes(file, bytes);
  EXPECT_TRUE(mentions(error(), {"forged.h5", "checksum"}));
}

TEST_F(DamageTest, collecting_nothing_that_can_be_read) {
  forge([](hid_t id) {
    const hid_t loss = H5Oopen(id, "/runs/x/curves/loss", H5P_DEFAULT);
    H5Adelete(loss, "long_name"), H5Oclose(loss);
  });
  std::filesystem::create_directory(folder / "smoke");
  std::filesystem::rename(file, folder / "smoke" / "x.h5");
  write_results(folder / "smoke.h5", sample_results({"x"}));
  const std::string older = bytes_of(folder / "smoke.h5");
  EXPECT_TRUE(mentions(data_error([&] { collect(folder / "smoke", {}, folder / "smoke.h5"); }), {"smoke", "x.h5", "long_name"}));
  EXPECT_EQ(bytes_of(folder / "smoke.h5"), older);
}

TEST_F(DamageTest, collecting_replaces_no_other_file) {
  std::filesystem::create_directory(folder / "smoke");
  const auto id = "0123456789abcdef";
  Results one = sample_results({id});
  one.experiment = "smoke";
  write_results(folder / "smoke" / (std::string(id) + ".h5"), one);
  write_bytes(folder / "smoke.ini", "[experiment]\n");
  EXPECT_TRUE(mentions(data_error([&] { collect(folder / "smoke", {}, folder / "smoke.ini"); }), {"smoke.ini", "no results file", "remove"}));
  EXPECT_EQ(bytes_of(folder / "smoke.ini"), "[experiment]\n");
  EXPECT_TRUE(mentions(data_error([&] { collect(folder / "smoke", {}, folder / "smoke" / "fedcba9876543210.h5"); }), {"name of a run"}));
  write_bytes(folder / "empty.h5", "");
  EXPECT_EQ(collect(folder / "smoke", {}, folder / "empty.h5").collected.size(), 1U);
}

// What a machine that lost power may leave of a file that was said to be on disk: its end reads as zeros, the checksum too.
TEST_F(DamageTest, a_lost_end_is_found) {
  write_results(folder / "whole.h5", sample_results({"x"}));
  const std::string whole = bytes_of(folder / "whole.h5");
  for (const std::size_t lost : {std::size_t{8}, std::size_t{24}, std::size_t{512}, std::size_t{4096}, whole.size() / 2}) {
    write_bytes(file, whole.substr(0, whole.size() - lost) + std::string(lost, '\0'));
    EXPECT_TRUE(mentions(error(), {"forged.h5", "checksum"})) << lost;
  }
  write_bytes(file, whole.substr(0, whole.size() - 10));
  EXPECT_TRUE(mentions(error(), {"forged.h5", "checksum"}));
  write_bytes(file, whole.substr(0, whole.size() - 24));  // as a program that changed it through HDF5 leaves it
  EXPECT_EQ(read_results(file).runs.size(), 1U);
}

TEST_F(DamageTest, names_that_are_none) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  for (const char* name : {"..", "a\nb", "\x1b[31m"}) {
    forge([&](hid_t id) {
      const hid_t run = H5Gopen2(id, "/runs/x/curves", H5P_DEFAULT);
      H5Gclose(H5Gcreate2(run, name, links, H5P_DEFAULT, H5P_DEFAULT)), H5Gclose(run);
    });
    EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves", "name"})) << name;
    const double one = 1;
    forge([&](hid_t id) { write_scalar(id, "/runs/x", name, H5T_NATIVE_DOUBLE, &one); });
    EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x", "name"})) << name;
  }
  H5Pclose(links);
}

TEST_F(DamageTest, values_of_another_file) {
  const hid_t outside = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(outside, "/dev/zero", 0, H5F_UNLIMITED);
  forge([&](hid_t id) { make_dataset(id, "/runs/x/curves/outside", H5T_NATIVE_DOUBLE, {3}, outside); });
  EXPECT_TRUE(mentions(error(), {"forged.h5", "/runs/x/curves/outside", "another file"}));
  H5Pclose(outside);
}

}  // namespace
}  // namespace qsweep
