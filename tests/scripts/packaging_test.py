#!/usr/bin/python3
"""packaging_test.py: the Spack recipe, the Apptainer definition and CITATION.cff agree with scripts/packages.sh and CMakeLists.txt."""
import ast
import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Debian's package -> Spack's; None: comes with another.
SPACK = {"g++": "cxx", "cmake": "cmake", "ninja-build": "ninja", "pkg-config": "pkgconfig", "git": "git", "openmpi-bin": "openmpi",
         "libopenmpi-dev": "openmpi", "libopenblas-dev": "openblas", "libdnnl-dev": "onednn", "libhdf5-dev": "hdf5", "hdf5-tools": None,
         "libboost-program-options-dev": "boost", "librandom123-dev": "random123", "libfmt-dev": "fmt", "zlib1g-dev": "zlib-api",
         "liblzma-dev": "xz", "libssl-dev": "openssl", "libgtest-dev": "googletest", "python3": "python", "python3-h5py": "py-h5py",
         "python3-numpy": "py-numpy", "python3-matplotlib": "py-matplotlib"}


def text(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def packages():
    ran = subprocess.run(["bash", "-c", '. scripts/packages.sh; printf "%s\\n" "${build_packages[@]%%|*}"'], cwd=ROOT, capture_output=True, text=True,
                         check=True)
    return ran.stdout.split()


class Packaging(unittest.TestCase):
    def test_spack_depends_on_what_is_needed(self):
        recipe = ast.parse(text("packaging", "spack", "packages", "qsweep", "package.py"))
        (made,) = [node for node in recipe.body if isinstance(node, ast.ClassDef)]
        calls = [node for node in ast.walk(made) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "depends_on"]
        names = {re.match(r"[a-z0-9-]+", call.args[0].value).group() for call in calls}
        self.assertEqual(names - {"c"}, {SPACK[package] for package in packages()} - {None})
        self.assertEqual(text("packaging", "spack", "repo.yaml"), "repo:\n  namespace: qsweep\n")

    def test_spack_builds_targets_that_exist(self):
        recipe = text("packaging", "spack", "packages", "qsweep", "package.py")
        programs = {name[:-4] + "_program" for name in os.listdir(os.path.join(ROOT, "apps")) if name.endswith(".cpp")}
        self.assertEqual(set(re.findall(r"qsweep\w*_program", recipe)), programs)
        self.assertEqual(set(re.findall(r"qsweep\w*_program", text("packaging", "apptainer", "qsweep.def"))), programs)

    def test_apptainer_installs_what_is_needed(self):
        definition = text("packaging", "apptainer", "qsweep.def")
        (listed,) = re.findall(r"apt-get install -y --no-install-recommends((?:.*\\\n)*.*)", definition)
        self.assertEqual([word for word in listed.split() if word != "\\"], packages())
        post = definition.split("\n%post\n")[1].split("\n%environment\n")[0]
        checked = subprocess.run(["bash", "-n"], input=post, capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_versions(self):
        version = re.search(r"project\(qsweep VERSION ([\d.]+)", text("CMakeLists.txt")).group(1)
        self.assertIn(f"\nversion: {version}\n", text("CITATION.cff"))
        for package in packages():
            self.assertIn(f"`{package}`", text("README.md"))


if __name__ == "__main__":
    unittest.main()
