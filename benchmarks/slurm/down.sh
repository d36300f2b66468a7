#!/usr/bin/env bash
# Ends what up.sh has brought up in folder $1, by the process ids that it left there.
D=$(readlink -m "${1:?give a folder}")
export SLURM_CONF=$D/slurm.conf
scancel -u root
for _ in $(seq 100); do [ -z "$(squeue -h)" ] && break; sleep .1; done
ids=$(cat "$D"/slurmd.*.pid "$D/slurmctld.pid" "$D/munge/pid" 2>/dev/null)
# shellcheck disable=SC2086
[ -z "$ids" ] || kill $ids
for id in $ids; do
  for _ in $(seq 150); do kill -0 "$id" 2>/dev/null || break; sleep .1; done
done
