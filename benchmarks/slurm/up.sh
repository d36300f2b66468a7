#!/usr/bin/env bash
# Brings up a Slurm of two nodes on this one machine, for tests: no systemd, no cgroups, as root. All it writes lies in $1.
# Debian's packages: apt-get install --no-install-recommends slurm-wlm munge
set -euo pipefail
D=$(readlink -m "${1:?give a folder}")
for c in slurmctld slurmd munged; do
  command -v $c >/dev/null || { echo "$c is not installed: apt-get install --no-install-recommends slurm-wlm munge"; exit 3; }
done
[ "$(id -u)" = 0 ] || { echo "two nodes on one machine need root"; exit 3; }
host=$(hostname -s)
export SLURM_CONF=$D/slurm.conf
# Two daemons on one machine, each with folders of its own.
mkdir -p "$D"/{state,log,munge} "$D"/{spool,tmp}/node{1,2}
[ -s "$D/munge/key" ] || (umask 377; head -c128 /dev/urandom >"$D/munge/key")
port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null || echo $((20000 + RANDOM % 10000)); }
cat >"$SLURM_CONF" <<C
ClusterName=firn
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(port)
SlurmUser=root
AuthType=auth/munge
# A job that goes back into the queue waits for its credential to end.
AuthInfo=socket=$D/munge/sock,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobCompType=jobcomp/filetxt
JobCompLoc=$D/log/jobcomp
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
SlurmdTimeout=10
MinJobAge=300
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/spool/%n
TmpFS=$D/tmp/%n
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.%n.pid
SlurmctldLogFile=$D/log/slurmctld.log
SlurmdLogFile=$D/log/slurmd.%n.log
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(port) CPUs=4 RealMemory=8000
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(port) CPUs=4 RealMemory=8000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
munged --socket="$D/munge/sock" --key-file="$D/munge/key" --pid-file="$D/munge/pid" --log-file="$D/munge/log" \
  --seed-file="$D/munge/seed"
slurmctld
slurmd -N node1
slurmd -N node2
for _ in $(seq 200); do
  [ "$(sinfo -hNt idle 2>/dev/null | wc -l)" = 2 ] && exit
  sleep .1
done
sinfo -N
exit 1
