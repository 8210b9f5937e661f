#!/usr/bin/env bash
# usage: scripts/quickstart.sh [--no-install]
#
# From a fresh Debian 12 or Ubuntu 24.04 machine to Figure 3(a) of Hou, Zhang,
# Kwok 2019 in one command: installs the packages, builds qsweep, trains the
# dimension sweep on two ranks (no data to download) and draws the figure.
# Runs that are complete are not done again: after an interruption, run the
# same command again.
#
#   --no-install   installs nothing (you need not be root); lists the packages
#                  that are missing, and what needs them, and ends with exit 2
set -euo pipefail

install=true
for argument in "$@"; do
  case $argument in
    --no-install) install=false ;;
    -h | --help) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "quickstart.sh: unknown argument: $argument (scripts/quickstart.sh --help)" >&2; exit 2 ;;
  esac
done

CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
exec </dev/null

step_name='' step_since=0
step() {
  step_name=${1%% *} step_since=$SECONDS
  say "$1"
}
done_in() { say "      done in $((SECONDS - step_since)) s"; }
ended() {
  local code=$?
  ((code == 0)) && return
  printf '%s\n' '' "quickstart.sh: stopped in step $step_name with exit code $code." \
    'What is complete is kept: the same command goes on from here.' >&2
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

experiment=experiments/distributed/dimension_linear.ini
results=results/dimension_linear
mkdir -p build results
log=build/quickstart.log
: >"$log"

say 'qsweep: from here to Figure 3(a) of Hou, Zhang, Kwok 2019'
say ''
step '[1/5] packages: compiler, MPI, BLAS, HDF5, Python'
need_packages "$install" "$log" build
python=$(find_python) || fail 2 'No python3 here can import h5py, numpy and matplotlib together.'
done_in

step '[2/5] configure: cmake --preset release'
configure release build "$log"
done_in

jobs=$(build_jobs)
step "[3/5] build: cmake --build build, $jobs at a time"
build build "$log" -j "$jobs" --target qsweep_program
done_in

step '[4/5] train: linear regression in growing dimension, gradients in full'
say '      precision and quantized, on two ranks:'
say "      mpirun -n 2 build/qsweep run $experiment"
mpi_environment
mpirun -n 2 build/qsweep run "$experiment"
done_in

step '[5/5] collect the runs into one file and draw the figure'
say "      build/qsweep collect $results"
say "      $python scripts/plot.py $results.h5"
build/qsweep collect "$results"
"$python" scripts/plot.py "$results.h5" >>"$log"
done_in

cat <<END

Done in $SECONDS s. This made
  build/qsweep                   the program
  $results/       one results file for each run
  $results.h5     all of them in one file
  $results.png    the figure

Try next, from $PWD:
  build/qsweep show $results.h5
      the runs as a table, measured against predicted
  mpirun -n 2 build/qsweep run experiments/smoke.ini
      another experiment; experiments/distributed has more
  mpirun -n 2 build/qsweep run $experiment \\
      --set gradients.quantizer=sq3 --set experiment.name=dimension_sq3
      the same sweep with other values, in a folder of its own;
      build/qsweep keys lists all keys
END
if ((EUID == 0)); then
  say 'As root, mpirun wants this first:'
  say '  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1'
fi
