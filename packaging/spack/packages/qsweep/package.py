# Spack recipe of qsweep. In a clone of qsweep:
#   spack repo add packaging/spack
#   spack install qsweep            # or, from the sources as they lie here: spack dev-build -d . qsweep@main
# Not tested: Spack is not in Debian, and was not at hand; that this file is Python, and that its dependencies are those of
# scripts/packages.sh, is (tests/scripts/packaging_test.py).
from spack.package import *


class Qsweep(CMakePackage):
    """Simulator of quantized distributed training: weights, gradients and activations of a few bits, on many data-parallel workers,
    over a grid of settings. Results are equal to the bit on any number of MPI ranks."""

    maintainers("qsweep")
    license("MIT")

    # The sources: the repository that this file lies in. Name its address here where it is published.
    git = "file://" + __file__.rsplit("/packaging/", 1)[0]
    version("main", branch="main")

    variant("tests", default=False, description="Build the tests")
    variant("figures", default=True, description="Python modules of scripts/plot.py and scripts/report.py")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    conflicts("%gcc@:11", msg="qsweep needs C++20 as GCC 12 has it")

    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("git", type="build")
    depends_on("openmpi@4:")
    depends_on("openblas threads=none")
    depends_on("onednn@2 cpu_runtime=omp")
    depends_on("hdf5~mpi")
    depends_on("boost+program_options")
    depends_on("random123", type="build")
    depends_on("fmt@9:")
    depends_on("zlib-api")
    depends_on("xz")
    depends_on("openssl")
    depends_on("googletest", type="build")  # configured always, built only with +tests
    depends_on("python@3.9:", type=("build", "run"))
    depends_on("py-h5py", type="run", when="+figures")
    depends_on("py-numpy", type="run", when="+figures")
    depends_on("py-matplotlib", type="run", when="+figures")

    generator("ninja")

    @property
    def build_targets(self):
        return [] if self.spec.satisfies("+tests") else ["qsweep_program", "qsweep_bench_program"]

    def cmake_args(self):
        return [self.define("CMAKE_SKIP_INSTALL_ALL_DEPENDENCY", True)]  # "ninja install" would build the tests, too
