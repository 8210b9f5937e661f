#!/usr/bin/env bash
# usage: emulated_hosts.sh HOSTS RATE [--latency MS] [--ranks-per-host K] [--] COMMAND…
#   e.g. scripts/emulated_hosts.sh 2 1gbit build/qsweep run experiments/smoke.ini
# Runs COMMAND under mpirun on HOSTS emulated hosts of this machine, K ranks (1) on each. A host is a network namespace of its own with
# a full-duplex link of RATE, as tc writes it (1gbit, 100mbit; none: not limited), to one switch; all traffic between hosts is TCP.
# Needs root (for namespaces), iproute2, Open MPI. A latency needs netem in the kernel. Everything is removed again at the end, also
# when it is interrupted; nothing of the machine's own network is touched. Further options of mpirun: MPIRUN_OPTIONS.
# Exit codes: those of mpirun; 2 if the command line is wrong or something is missing.
# shellcheck disable=SC2016,SC2317  # single quotes: expanded on the other host; the trap calls clean_up
set -euo pipefail

usage() { sed -n '2,3p' "$0" | sed 's/^# //' >&2; exit 2; }
fail() { printf 'emulated_hosts.sh: %s\n' "$*" >&2; exit 2; }

network=10.77.0
prefix=qsweep$$-

# As the remote shell of mpirun: emulated_hosts.sh --rsh PREFIX ADDRESS COMMAND…; a host has its own name, by which Open MPI tells nodes.
if [[ ${1:-} == --rsh ]]; then
  prefix=$2
  shift 2
  while [[ $1 == -* ]]; do shift; done
  host=$prefix$((${1##*.} - 1))
  shift
  exec ip netns exec "$host" unshare --uts sh -c 'hostname "$0"; exec sh -c "$1"' "$host" "$*"
fi

(($# >= 3)) || usage
hosts=$1 rate=$2 latency='' per_host=1
shift 2
while [[ ${1:-} == --* ]]; do
  case $1 in
    --latency) latency=${2:?} ;;
    --ranks-per-host) per_host=${2:?} ;;
    --) shift; break ;;
    *) usage ;;
  esac
  shift 2
done
(($# >= 1)) || usage
if ! [[ $hosts =~ ^[0-9]+$ && $per_host =~ ^[0-9]+$ ]] || ((hosts < 1 || hosts > 200 || per_host < 1)); then usage; fi
[[ $rate == none || $rate =~ ^[0-9]+(\.[0-9]+)?[kmg]bit$ ]] || fail "RATE $rate: allowed: none, or as 1gbit, 100mbit, 2500kbit"
((EUID == 0)) || fail 'needs root: network namespaces'
for program in ip tc mpirun unshare; do command -v "$program" >/dev/null || fail "$program not found (Debian: iproute2, openmpi-bin, util-linux)"; done

agent=$(mktemp /tmp/qsweep-rsh.XXXXXX)
job=
clean_up() {
  trap '' INT TERM HUP
  if [[ -n $job ]]; then kill -TERM "$job" 2>/dev/null && sleep 0.5; fi
  local space pid
  while read -r space _; do
    [[ $space == "$prefix"* ]] || continue
    for pid in $(ip netns pids "$space"); do kill -KILL "$pid" 2>/dev/null || true; done
    ip netns del "$space"
  done < <(ip netns list)
  rm -f "$agent"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Both ends of a link are shaped. Burst: 100 us at the rate, at least 32 KiB: with more, short messages pass unshaped; with less, or
# with packets of the kernel (gso) as large as the burst, the link stays idle in between. Queue: 1 ms, at least 4 MiB.
shape() {  # namespace, device
  local bits burst queue
  if [[ $rate != none ]]; then
    bits=$(numfmt --from=si "$(sed 's/kbit/K/; s/mbit/M/; s/gbit/G/' <<<"$rate")")
    burst=$((bits / 8 / 10000)) queue=$((bits / 8 / 1000))
    ((burst >= 32768)) || burst=32768
    ((queue >= 4194304)) || queue=4194304
    ip netns exec "$1" tc qdisc replace dev "$2" root handle 1: tbf rate "$rate" burst "$burst" limit "$queue"
  fi
  [[ -n $latency && $2 == e0 ]] || return 0
  local -a place=(root)
  [[ $rate == none ]] || place=(parent 1:1)
  ip netns exec "$1" tc qdisc add dev "$2" "${place[@]}" netem delay "${latency}ms" limit 100000 2>/dev/null ||
    fail '--latency: this kernel has no netem (module sch_netem)'
}

switch=${prefix}switch
ip netns add "$switch"
ip -n "$switch" link add bridge type bridge
ip -n "$switch" link set bridge up
addresses=
for ((i = 0; i < hosts; i++)); do
  host=$prefix$i
  ip netns add "$host"
  ip link add e0 netns "$host" type veth peer name "port$i" netns "$switch"  # made inside: the machine's own network never sees them
  ip -n "$switch" link set "port$i" master bridge
  ip -n "$switch" link set "port$i" up
  ip -n "$host" link set e0 gso_max_size 16384
  ip -n "$switch" link set "port$i" gso_max_size 16384
  ip -n "$host" link set lo up
  ip -n "$host" addr add "$network.$((i + 1))/24" dev e0
  ip -n "$host" link set e0 up
  # Reno: what every kernel allows in a namespace. Send buffers of 256 KiB: larger ones overflow the queue of the link.
  ip netns exec "$host" sysctl -qw net.ipv4.tcp_congestion_control=reno \
    net.ipv4.tcp_wmem='4096 131072 262144' net.ipv4.tcp_rmem='4096 131072 1048576'
  shape "$host" e0
  shape "$switch" "port$i"
  addresses+=${addresses:+,}$network.$((i + 1)):$per_host
done

printf '#!/bin/sh\nexec %q --rsh %q "$@"\n' "$(realpath "$0")" "$prefix" >"$agent"
chmod +x "$agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OPENBLAS_NUM_THREADS=1
export OMPI_MCA_plm=rsh OMPI_MCA_plm_rsh_agent=$agent OMPI_MCA_ras=^slurm
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=$network.0/24 OMPI_MCA_oob_tcp_if_include=$network.0/24
export OMPI_MCA_btl_tcp_flags=${OMPI_MCA_btl_tcp_flags:-1}  # send only: "put" moves exchanges both ways at half the rate
yield=$((hosts * per_host > $(nproc)))  # more ranks than cores: whoever waits leaves its core to others
export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-$yield} OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_rmaps_base_oversubscribe=1
read -ra more <<<"${MPIRUN_OPTIONS:-}"
ip netns exec "${prefix}0" unshare --uts sh -c 'hostname "$0"; exec "$@"' "${prefix}0" \
  mpirun -H "$addresses" -n $((hosts * per_host)) --map-by node "${more[@]}" "$@" &
job=$!
code=0
wait "$job" || code=$?
job=
exit "$code"
