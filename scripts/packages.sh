# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh, in the repository root: which packages are needed, how to install them, how to build.

# What is needed: Debian's and Ubuntu's name | what needs it | how to find it where the packages were not installed by name.
build_packages=(
  "g++|the compiler (C++20)|command -v g++"
  "cmake|configures the build|command -v cmake"
  "ninja-build|builds|command -v ninja"
  "pkg-config|finds libraries for the build|command -v pkg-config"
  "git|stores the commit in every results file|command -v git"
  "openmpi-bin|mpirun starts the ranks|command -v mpirun"
  "libopenmpi-dev|the ranks talk through MPI|command -v mpicxx"
  "libopenblas-dev|matrix products|pkg-config --exists openblas"
  "libdnnl-dev|convolutions|has_header dnnl.hpp"
  "libhdf5-dev|results files|pkg-config --exists hdf5 || command -v h5cc"
  "hdf5-tools|h5ls and h5dump look into results files|command -v h5dump"
  "libboost-program-options-dev|reads experiment files and the command line|has_header boost/program_options.hpp"
  "librandom123-dev|counter-based random numbers|has_header Random123/philox.h"
  "libfmt-dev|text output|has_header fmt/format.h"
  "zlib1g-dev|reads .gz data files|pkg-config --exists zlib"
  "liblzma-dev|reads .xz data files|pkg-config --exists liblzma"
  "libssl-dev|run ids are SHA-256 hashes|pkg-config --exists libcrypto"
  "libgtest-dev|tests|has_header gtest/gtest.h"
  "python3|draws figures|command -v python3"
  "python3-h5py|reads results files for figures|has_module h5py"
  "python3-numpy|figures|has_module numpy"
  "python3-matplotlib|figures|has_module matplotlib"
)
test_packages=(
  "shellcheck|checks the scripts|command -v shellcheck"
  "iproute2|emulates hosts with network namespaces|command -v ip"
  "xz-utils|makes .xz files for tests|command -v xz"
  "gzip|makes .gz files for tests|command -v gzip"
  "slurm-wlm|a SLURM of this machine alone tests slurm/submit.sh|command -v slurmctld"
  "munge|authentication of that SLURM|command -v munged"
  "libsimgrid-dev|simulates a cluster|command -v smpicxx"
  "environment-modules|loads the module file|test -e /usr/share/modules/init/bash"
)

# Ubuntu's chromium is a snap, which containers cannot install: there that test says that it skips.
if grep -qsx 'ID=debian' /etc/os-release; then
  test_packages+=("chromium|opens the page of scripts/report.py|command -v chromium")
fi

say() { printf '%s\n' "$*"; }
fail() {  # exit code, message lines
  local code=$1
  shift
  printf '%s\n' "$@" >&2
  exit "$code"
}

# The first Python that can draw figures: the system's own before others, which often lack h5py.
find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import h5py, matplotlib, numpy' 2>/dev/null; then
      say "$python"
      return
    fi
  done
  return 1
}
has_header() { printf '#include <%s>\n' "$1" | g++ -E -x c++ - 2>/dev/null; }
# The first clang++ that links libFuzzer and the sanitizers.
find_clang() {
  local clang
  for clang in clang++ clang++-{19,18,17,16,15,14}; do
    if printf '#include <cstdint>\nextern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }\n' |
      "$clang" -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null; then
      say "$clang"
      return
    fi
  done
  return 1
}
has_module() { /usr/bin/python3 -c "import $1" || python3 -c "import $1"; }
is_installed() { [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ?i* ]]; }

# Prints the lines of the tables given whose package is not installed. With "found" as first argument, only those of them whose
# thing is not there by other means either: modules of a cluster, conda, a build of one's own.
missing_packages() {  # installed or found, lines of the tables
  local by=$1 line
  shift
  for line in "$@"; do
    is_installed "${line%%|*}" && continue
    if [[ $by == found ]] && eval "${line##*|}" >/dev/null 2>&1; then continue; fi
    say "$line"
  done
}

list_packages() {
  local line rest
  for line in "$@"; do
    rest=${line#*|}
    printf '  %-30s %s\n' "${line%%|*}" "${rest%%|*}"
  done
}

# A long command in lines of at most 80 columns that a shell takes back.
as_shell_lines() { fold -s -w 74 | sed -e '$!s/$/\\/' -e '1s/^/  /' -e '2,$s/^/    /'; }

# Runs a command quietly; if it fails, shows the end of what it said and returns its exit code.
quietly() {  # log file, command
  local log=$1 code=0
  shift
  printf '+ %s\n' "$*" >>"$log"
  "$@" >>"$log" 2>&1 || code=$?
  if ((code != 0)); then
    printf '%s\n' "failed: $*" "the end of $log:" >&2
    tail -n 40 "$log" | sed 's/^/  | /' >&2
  fi
  return "$code"
}

apt() {  # log file, arguments of apt-get
  local log=$1
  shift
  local -a command=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@")
  ((EUID == 0)) || command=(sudo "${command[@]}")
  quietly "$log" "${command[@]}"
}

# Makes sure that what the tables name is there. Exit 2 if something is missing and may not or cannot be installed.
need_packages() {  # install: true or false; log file; build, or build and test
  local install=$1 log=$2 purpose=$3 why_not='' line by=installed
  local -a wanted=("${build_packages[@]}") missing names=()
  [[ $purpose == build ]] || wanted+=("${test_packages[@]}")
  if [[ $install == false ]]; then
    why_not='--no-install was given.'
  elif ! command -v apt-get >/dev/null; then
    why_not='Only apt-get is known here, and this machine has none.'
  elif ((EUID != 0)) && ! command -v sudo >/dev/null; then
    why_not='You are not root, and there is no sudo.'
  fi
  [[ -z $why_not ]] || by=found
  mapfile -t missing < <(missing_packages "$by" "${wanted[@]}")
  if ((${#missing[@]} == 0)); then
    say "      all ${#wanted[@]} are there"
    return
  fi
  for line in "${missing[@]}"; do names+=("${line%%|*}"); done
  if [[ -n $why_not ]]; then
    fail 2 "Missing, by Debian's and Ubuntu's names, and what needs it:" "$(list_packages "${missing[@]}")" \
      "$why_not With root's rights this installs them:" "$(say "apt-get install ${names[*]}" | as_shell_lines)"
  fi
  say "installing ${#names[@]} of ${#wanted[@]}: ${names[*]}" | fold -s -w 72 | sed 's/^/      /'
  apt "$log" update || fail 1 'apt-get update failed: is there a network?'
  apt "$log" install -y --no-install-recommends "${names[@]}" ||
    fail 1 'apt-get install failed. On Ubuntu "universe" is needed too: add-apt-repository universe'
}

# Configures a preset, anew where the build folder was made for another place; compiles with ccache where there is one.
configure() {  # preset, build folder, log file
  local cache=$2/CMakeCache.txt
  local -a fresh=()
  local version
  version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
  if [[ $(printf '%s\n' 3.25 "$version" | sort -V | head -n 1) != 3.25 ]]; then
    fail 2 "CMake 3.25 or later is needed, this is $version: use Debian 12, Ubuntu 24.04 or later," \
      "or put a newer one into your PATH (python3 -m pip install cmake)."
  fi
  if [[ -e $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$cache"; then fresh=(--fresh); fi
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  quietly "$3" cmake --preset "$1" "${fresh[@]}"
}

# Builds with ninja's own progress line on a terminal, else quietly.
build() {  # build folder, log file, arguments of cmake --build
  local folder=$1 log=$2
  shift 2
  if [[ -t 1 ]]; then
    NINJA_STATUS='      [%f/%t] ' cmake --build "$folder" "$@"
  else
    quietly "$log" cmake --build "$folder" "$@"
  fi
}

# Compilers at a time: one for each core, as long as each has 1 GB of memory.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1000000) }' /proc/meminfo 2>/dev/null)
  memory=${memory:-$cores}
  ((memory > 1)) || memory=1
  say $((cores < memory ? cores : memory))
}

# Ranks of Open MPI on any machine: as root in a container, more ranks than cores, beside other jobs.
mpi_environment() {
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_MCA_rmaps_base_oversubscribe=1    # more ranks than cores is no error
  export OMPI_MCA_mpi_yield_when_idle=1         # a waiting rank leaves its core to others
  export OMPI_MCA_hwloc_base_binding_policy=none  # two jobs do not sit on the same core
  export OPENBLAS_NUM_THREADS=1                 # one thread for each rank
}
