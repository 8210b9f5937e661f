#!/usr/bin/env bash
# usage: scripts/one_node_slurm.sh start DIR | env DIR | stop DIR
#
# A real SLURM on this machine alone, for tests and for trying slurm/submit.sh:
# munged, slurmctld and slurmd, all below DIR, listening on loopback only. To
# be run as root, with the packages slurm-wlm and munge.
#
#   start   starts the daemons and waits until the node is idle
#   env     prints what makes sbatch, squeue, ... speak to it:
#             eval "$(scripts/one_node_slurm.sh env DIR)"
#   stop    cancels all jobs and ends the daemons, by their process ids
#
# Environment: CPUS, how many CPUs it offers (more than there are is allowed;
# default: as many as there are). Each is given to up to 4 jobs at a time.
set -euo pipefail

if (($# != 2)); then
  sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"
  exit 2
fi
verb=$1 folder=$(realpath -m "$2")
export SLURM_CONF=$folder/etc/slurm.conf

# The first of two free ports, from a place of this folder's own.
free_ports() {
  local port=$((20000 + $(cksum <<<"$folder" | cut -d' ' -f1) % 9000))
  while ss -ltnH "( sport = :$port or sport = :$((port + 1)) )" | grep -q .; do port=$((port + 50)); done
  echo "$port"
}

# Whether a process is still that program: ids are used again, and one that has ended has no program any more.
is_alive() { [[ $(readlink "/proc/$1/exe" 2>/dev/null) == */"$2"* ]]; }

end_by_file() {  # file with the process id, name of the program
  local id
  [[ -s $1 ]] || return 0
  id=$(<"$1")
  if is_alive "$id" "$2"; then kill -TERM "$id"; fi
  for _ in {1..100}; do
    is_alive "$id" "$2" || break
    sleep 0.05
  done
  if is_alive "$id" "$2"; then kill -KILL "$id"; fi
  rm -f "$1"
}

write_configuration() {  # port
  local host memory
  host=$(hostname -s)
  memory=$(awk '/MemTotal/ { print int($2 / 1024) - 512 }' /proc/meminfo)
  cat >"$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/run/munge.sock
SlurmctldPort=$1
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
TmpFS=$folder/tmp
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/log/jobcomp.txt
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=1,sched_min_interval=1000
ReturnToService=2
KillWait=5
MinJobAge=3600
SlurmdParameters=config_overrides
NodeName=$host NodeHostName=$host NodeAddr=127.0.0.1 Port=$(($1 + 1)) CPUs=${CPUS:-$(nproc)} RealMemory=$memory State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=INFINITE DefaultTime=60 OverSubscribe=FORCE:4
CONF
}

start() {
  local program
  for program in munged slurmctld slurmd; do
    command -v "$program" >/dev/null || { echo "one_node_slurm.sh: $program is missing: apt-get install slurm-wlm munge" >&2; exit 2; }
  done
  ((EUID == 0)) || { echo 'one_node_slurm.sh: to be run as root' >&2; exit 2; }
  mkdir -p "$folder"/{etc,run,log,state,spool,tmp}
  chmod 755 "$folder" "$folder"/*  # munge wants to see the way down to its socket
  (umask 077 && head -c 1024 /dev/urandom >"$folder/etc/munge.key")
  write_configuration "$(free_ports)"
  munged --socket="$folder/run/munge.sock" --key-file="$folder/etc/munge.key" --pid-file="$folder/run/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/etc/munge.seed"
  slurmctld -f "$SLURM_CONF"
  slurmd -f "$SLURM_CONF"
  for _ in {1..200}; do
    if [[ $(sinfo -h -t idle -o %D 2>/dev/null) == 1 ]]; then
      echo "one_node_slurm.sh: up; next: eval \"\$($0 env $folder)\""
      return
    fi
    sleep 0.1
  done
  echo 'one_node_slurm.sh: the node is not idle after 20 s' >&2
  tail -n 5 "$folder"/log/*.log >&2
  return 1
}

stop() {
  if [[ -s $folder/run/slurmctld.pid ]]; then  # jobs first: they outlive slurmd
    timeout 10 scancel --user=root --state=PENDING >/dev/null 2>&1 || true
    timeout 10 scancel --user=root >/dev/null 2>&1 || true
    for _ in {1..100}; do
      [[ -n $(timeout 5 squeue -h 2>/dev/null) ]] || break
      sleep 0.1
    done
  fi
  end_by_file "$folder/run/slurmd.pid" slurmd
  end_by_file "$folder/run/slurmctld.pid" slurmctld
  end_by_file "$folder/run/munged.pid" munged
}

case $verb in
  start) start || { stop; exit 1; } ;;
  env) echo "export SLURM_CONF=$SLURM_CONF" ;;
  stop) stop ;;
  *) echo "one_node_slurm.sh: $verb: allowed: start, env, stop" >&2; exit 2 ;;
esac
