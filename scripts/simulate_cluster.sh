#!/usr/bin/env bash
# usage: simulate_cluster.sh [-o FILE.h5] [--ranks "16 … 1024"] [--gbits "10 100"]
#          [--widths 2,4] [--latency 25us] [--sizes-from 256]
#          [--keep FOLDER] [--profile FOLDER]
# Weak scaling of one iteration of Cifarnet, one worker and one node to each rank, on a cluster that SimGrid simulates: qsweep's own
# exchange runs on SMPI, computing is replaced by times measured here on one core (experiments/distributed/simulated_cluster.ini). From
# 256 ranks on messages keep their sizes but hold no codes, and the figure says so. Draws FILE.png beside FILE.h5
# (results/simulated_cluster.h5). --sizes-from: another number than 256. --keep stores the measured times in a new folder, --profile takes
# them from there instead of measuring. Needs Debian's libsimgrid-dev, and build/qsweep; builds build-simgrid/qsweep_cluster.
# Exit codes: 0 done, 2 wrong arguments or something missing, else what failed.
set -euo pipefail
cd "$(dirname "$0")/.."

output=results/simulated_cluster.h5 ranks='16 32 64 128 256 512 1024' gbits='10 100' widths=2,4 latency=25us sizes_from=256 keep='' profile=''
while (($# > 0)); do
  case $1 in
    -o) output=${2:?} ;;
    --ranks) ranks=${2:?} ;;
    --gbits) gbits=${2:?} ;;
    --widths) widths=${2:?} ;;
    --latency) latency=${2:?} ;;
    --sizes-from) sizes_from=${2:?} ;;
    --keep) keep=${2:?} ;;
    --profile) profile=${2:?} ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
for program in smpirun smpicxx; do
  command -v "$program" >/dev/null || { echo "simulate_cluster.sh: $program not found: apt-get install libsimgrid-dev" >&2; exit 2; }
done
[[ -x build/qsweep && -x build/qsweep_bench ]] || { echo 'simulate_cluster.sh: build/qsweep not found: scripts/quickstart.sh, or cmake --preset release && cmake --build build' >&2; exit 2; }
python=/usr/bin/python3
"$python" -c 'import h5py' 2>/dev/null || python=python3

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[[ -e build-simgrid/CMakeCache.txt ]] || cmake --preset simgrid >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
cmake --build build-simgrid >"$folder/log" 2>&1 || { tail -n 30 "$folder/log" >&2; exit 1; }

echo 'one worker, measured:'
if [[ -n $profile ]]; then
  cp "$profile"/{tensors,times,keys} "$folder"
else
  build/qsweep run experiments/distributed/simulated_cluster.ini --out "$folder" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
  build/qsweep_bench kernels >"$folder/kernels"
  nanoseconds=$(awk '/^SQ2 unpack/ { print $6; exit }' "$folder/kernels")  # for each code of a worker that is added
  "$python" scripts/qsweep_plot/cluster.py profile "$folder"/simulated_cluster/*.h5 "$folder" "$nanoseconds"
fi
[[ -z $keep ]] || { mkdir -p "$keep" && cp "$folder"/{tensors,times,keys} "$keep"; }
read -r compute quantize update decode <"$folder/times"
echo "  compute $compute s, quantize $quantize s, update $update s, adding one worker's codes $decode s"

# Explicit collectives: SMPI's selectors look like Open MPI's but take half a minute at 1,024 ranks. Ideal links: bandwidth and latency as
# given. Blocking sends of any size: else all messages that are under way would lie in memory.
simulate() {  # ranks, Gbit/s, sizes only
  seq -f 'n%.0f' 0 $(($1 - 1)) >"$folder/hosts"
  cat >"$folder/platform.xml" <<XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="n" suffix="" radical="0-$(($1 - 1))" speed="1Tf" bw="${2}Gbps" lat="$latency" sharing_policy="SPLITDUPLEX"/>
</platform>
XML
  smpirun -np "$1" -platform "$folder/platform.xml" -hostfile "$folder/hosts" --log=root.thresh:error \
    --cfg=smpi/host-speed:1Tf --cfg=smpi/simulate-computation:no --cfg=smpi/shared-malloc:local \
    --cfg=smpi/allreduce:rab_rdb --cfg=smpi/allgatherv:ompi_bruck --cfg=smpi/bcast:binomial_tree \
    --cfg=smpi/send-is-detached-thresh:0 --cfg=network/crosstraffic:0 --cfg=smpi/bw-factor:0:1 --cfg=smpi/lat-factor:0:1 \
    build-simgrid/qsweep_cluster "$folder/tensors" "$compute" "$quantize" "$update" "$decode" "$3" "$widths"
}
for network in $gbits; do
  for count in $ranks; do
    sizes_only=$((count >= sizes_from))
    start=$SECONDS
    simulate "$count" "$network" "$sizes_only" >"$folder/out"
    sed "s/^/$network $sizes_only /" "$folder/out" >>"$folder/table"
    printf '  %4d ranks, %3d Gbit/s: %d s%s\n' "$count" "$network" $((SECONDS - start)) "$( ((sizes_only)) && echo ' (sizes only)')"
  done
done
"$python" scripts/qsweep_plot/cluster.py store "$folder" "$latency" "$output"
"$python" scripts/plot.py "$output"
