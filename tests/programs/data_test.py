#!/usr/bin/python3
"""Files of data sets that are missing, cut off, mislabelled or corrupt: exit 3, one message that names the file and what to do."""
import gzip
import lzma
import os
import shutil
import struct
import unittest

from program import ProgramTest

TRAIN, TEST, LIMIT = 60000, 10000, 60
IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"
EXPERIMENT = f"""[experiment]
name = forged
[data]
set = mnist
dir = data
limit = {LIMIT}
[model]
kind = mlp
dimension = 4
[workers]
batch = 10
[run]
epochs = 1
"""


def images(count, header_count=None):
    return struct.pack(">4i", 0x803, header_count or count, 28, 28) + bytes(i % 251 for i in range(784)) * count


def labels(count, header_count=None):
    return struct.pack(">2i", 0x801, header_count or count) + bytes(i % 10 for i in range(count))


class ForgedSet(ProgramTest):
    """A set of MNIST's shape. Of the training part only data.limit samples are read, so only these are there."""

    def setUp(self):
        super().setUp()
        self.experiment = self.write("forged.ini", EXPERIMENT)
        os.makedirs(self.path("data", "mnist"))
        self.put(IMAGES, images(LIMIT, TRAIN))
        self.put(LABELS, labels(LIMIT, TRAIN))
        self.put("t10k-images-idx3-ubyte", images(TEST))
        self.put("t10k-labels-idx1-ubyte", labels(TEST))

    def put(self, name, content):
        with open(self.path("data", "mnist", name), "wb") as file:
            file.write(content)

    def test_the_forged_set_is_sound(self):  # or the tests below would prove nothing
        self.qsweep("run", self.experiment, ranks=2)
        self.qsweep("run", self.experiment, "--out", "elsewhere", "--set", "data.dir=" + self.path("data", "mnist"))
        self.assertEqual(len(self.results("results", "forged")), 1)
        self.assertEqual([os.path.basename(f) for f in self.results("elsewhere", "forged")], [os.path.basename(f) for f in self.results("results", "forged")])

    def test_compressed_files_do_as_well(self):
        self.qsweep("run", self.experiment)
        for name in (IMAGES, "t10k-images-idx3-ubyte"):
            with open(self.path("data", "mnist", name), "rb") as file:
                self.put(name + ".gz", gzip.compress(file.read(), 1))
            os.remove(self.path("data", "mnist", name))
        self.qsweep("run", self.experiment, "--out", "packed")
        self.assert_same_bits(self.results("results", "forged")[0], self.results("packed", "forged")[0], 1)

    def test_no_folder(self):
        shutil.rmtree(self.path("data"))
        for ranks in (0, 2):
            self.refused(3, [IMAGES, "not found", "data.dir", "QSWEEP_DATA"], "run", self.experiment, ranks=ranks)

    def test_one_file_missing(self):
        os.remove(self.path("data", "mnist", "t10k-labels-idx1-ubyte"))
        self.refused(3, ["t10k-labels-idx1-ubyte", "not found"], "run", self.experiment)

    def damaged(self, name, content, *needles, ranks=0):
        self.put(name, content)
        self.refused(3, [os.path.join("data", "mnist", name), "get it again", *needles], "run", self.experiment, ranks=ranks)

    def test_truncated(self):
        self.damaged(IMAGES, images(LIMIT, TRAIN)[:-1], "truncated", ranks=3)
        self.damaged(IMAGES, images(LIMIT, TRAIN)[:10], "truncated")
        self.damaged(IMAGES, b"", "truncated")

    def test_truncated_test_part(self):
        self.damaged("t10k-images-idx3-ubyte", images(TEST - 1, TEST), "truncated")

    def test_bytes_after_the_end(self):
        self.damaged("t10k-labels-idx1-ubyte", labels(TEST) + b"\0", "too long")

    def test_labels_given_as_images(self):
        self.damaged(IMAGES, labels(TRAIN), "wrong magic number", "label file", ranks=2)

    def test_images_given_as_labels(self):
        self.damaged(LABELS, images(LIMIT), "wrong magic number", "image file")

    def test_training_and_test_files_swapped(self):
        self.damaged(IMAGES, images(TEST), "10000", "60000", "swapped")

    def test_a_label_that_does_not_exist(self):
        content = bytearray(labels(LIMIT, TRAIN))
        content[8 + 17] = 10
        self.damaged(LABELS, bytes(content), "10", "17")

    def test_corrupt_gzip(self):
        packed = bytearray(gzip.compress(os.urandom(40000), 1))
        os.remove(self.path("data", "mnist", IMAGES))
        self.damaged(IMAGES + ".gz", gzip.compress(images(LIMIT, TRAIN))[:-20], "gzip", ranks=2)
        self.damaged(IMAGES + ".gz", b"not gzip at all, but text", "gzip")
        packed[200:300] = bytes(100)
        self.damaged(IMAGES + ".gz", bytes(packed))


    def test_corrupt_xz(self):
        os.remove(self.path("data", "mnist", IMAGES))
        packed = lzma.compress(images(LIMIT, TRAIN))
        self.damaged(IMAGES + ".xz", packed[: len(packed) // 2], "xz", "truncated")
        self.damaged(IMAGES + ".xz", b"not xz at all, but text", "xz", ranks=2)
        self.put(IMAGES, images(LIMIT, TRAIN))
        os.remove(self.path("data", "mnist", "t10k-labels-idx1-ubyte"))  # all of the test part is read, and so its check
        packed = bytearray(lzma.compress(labels(TEST)))
        packed[len(packed) // 2] ^= 1
        self.damaged("t10k-labels-idx1-ubyte.xz", bytes(packed), "corrupt")

    def test_four_billion_images(self):
        self.damaged(IMAGES, struct.pack(">4I", 0x803, 0xffffffff, 28, 28), "4294967295", "60000")
        self.damaged(IMAGES, struct.pack(">4I", 0x803, TRAIN, 0xffffffff, 0xffffffff), "image size")


class ForgedCifar(ProgramTest):
    """Black images of class 0, all of them zeros: the files take no room on the disk."""

    def setUp(self):
        super().setUp()
        self.experiment = self.write("forged.ini", EXPERIMENT.replace("mnist", "cifar10"))
        os.makedirs(self.path("data", "cifar10"))
        self.put("data_batch_1.bin", LIMIT)
        self.put("test_batch.bin", TEST)

    def put(self, name, records, begin=b""):
        with open(self.path("data", "cifar10", name), "wb") as file:
            file.write(begin)
            file.truncate(int(records * 3073))

    def refused_for(self, name, *needles, ranks=0):
        self.refused(3, [os.path.join("data", "cifar10", name), "get it again", *needles], "run", self.experiment, ranks=ranks)

    def test_the_forged_set_is_sound(self):
        self.qsweep("run", self.experiment)

    def test_damages(self):
        for records, begin, needles in ((LIMIT - 1, b"", ["truncated", "59"]), (LIMIT - 0.5, b"", ["inside record 59"]), (LIMIT, b"\x0a", ["label 10", "sample 0"]), (0, b"", ["truncated"])):
            self.put("data_batch_1.bin", records, begin)
            self.refused_for("data_batch_1.bin", *needles)
        self.put("data_batch_1.bin", LIMIT)
        self.put("test_batch.bin", TEST + 1)
        self.refused_for("test_batch.bin", "too long", ranks=2)


class EmptyDataFolder(ProgramTest):
    def test_where_it_looked(self):
        experiment = self.write("lost.ini", EXPERIMENT.replace("dir = data\n", ""))
        self.refused(3, [os.path.join("data", "mnist"), IMAGES], "run", experiment)
        process = self.start("run", experiment, QSWEEP_DATA="/nonexistent/place")
        outcome = self.finish(process)
        self.assertEqual(outcome.code, 3, str(outcome))
        self.assertIn("/nonexistent/place", outcome.messages()[0])


if __name__ == "__main__":
    unittest.main()
