#!/usr/bin/env bash
# usage: slurm/submit.sh EXPERIMENT.ini [--tasks N] [--set SECTION.KEY=VALUE]...
#                        [--out DIR] [-- OPTIONS OF SBATCH...]
#
# Submits a sweep: an array job of N tasks (4), each of which trains one part
# of the grid on its own MPI ranks, and a job after it that collects all runs
# into DIR/NAME.h5 and draws the figure. Submitting again goes on: complete
# runs are skipped, begun ones go on from their checkpoints.
#
#   slurm/submit.sh experiments/distributed/dimension_linear.ini --tasks 8 \
#     -- --ntasks=4 --time=2:00:00 --partition=short --mem-per-cpu=2G
#
# Options of sbatch are those of the array job (its --ntasks are the ranks of
# a task); --partition and --account are given to the second job, too. Two
# minutes before the time limit, or when it is preempted, a task saves itself
# and is queued again. slurm/README.md tells more.
#
# Environment: QSWEEP, the program (build/qsweep of this repository; where
# this is installed, the installed one).
set -euo pipefail

if (($# == 0)) || [[ $1 == -h || $1 == --help ]]; then
  sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"
  exit $(($# == 0 ? 2 : 0))
fi
repository=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
program=$repository/build/qsweep
installed=$(realpath -m "$repository/../../bin/qsweep")  # PREFIX/share/qsweep beside PREFIX/bin
[[ -x $program || ! -x $installed ]] || program=$installed
program=${QSWEEP:-$program}
experiment=$1 tasks=4 out=results
shift
arguments=() sbatch_options=() both=()
fail() {
  printf 'submit.sh: %s\n' "$@" >&2
  exit 2
}
while (($# > 0)); do
  case $1 in
    --tasks | --out | --set) (($# > 1)) || fail "$1: a value is missing" ;;&
    --tasks) tasks=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --set) arguments+=(--set "$2"); shift 2 ;;
    --) shift; sbatch_options=("$@"); break ;;
    *) fail "unknown argument: $1 (slurm/submit.sh --help)" ;;
  esac
done
[[ $tasks =~ ^[1-9][0-9]*$ ]] || fail "--tasks $tasks: allowed: 1 and more"
[[ -x $program ]] || fail "$program: no such program: build it (scripts/quickstart.sh), or name it by QSWEEP"
[[ -e $experiment ]] || fail "$experiment: no such file"
for option in "${sbatch_options[@]}"; do
  case $option in
    --partition=* | --account=* | --qos=* | -p?* | -A?*) both+=("$option") ;;
  esac
done

# What will run, or what is wrong with it, before anything is submitted.
"$program" plan "$experiment" "${arguments[@]}" | tail -n 2
name=$("$program" plan "$experiment" "${arguments[@]}" --name)
mkdir -p "$out/$name.logs"
array=$(sbatch --parsable --job-name="$name" --array="1-$tasks" --requeue --open-mode=append --signal=B:USR1@120 \
  --output="$out/$name.logs/task-%a.log" "${sbatch_options[@]}" \
  "$repository/slurm/task.sbatch" "$repository" "$program" run "$experiment" --out "$out" "${arguments[@]}")
array=${array%%;*}
after=$(sbatch --parsable --job-name="$name-collect" --dependency="afterany:$array" --ntasks=1 --requeue --open-mode=append \
  --output="$out/$name.logs/collect.log" "${both[@]}" "$repository/slurm/collect.sbatch" "$repository" "$program" "$out/$name")
echo "submitted: $tasks tasks as job $array, then collect and plot as job ${after%%;*}"
echo "logs in $out/$name.logs; how far it is: $program show $out/$name"
