#!/usr/bin/env bash
# An epoch of a frozen network from the feature cache, and without: seconds of each epoch but the first, and of the whole run.
#
#     benchmarks/finetune/features.sh MODEL PHOTOS FOLDER [OPTION ...]    # build Firn first; PHOTOS: class folders
set -euo pipefail
model=$1 photos=$2 folder=$3
shift 3
firn=$(dirname "$0")/../../firn

for cache in 4GB off; do
  run=$folder/$model-$cache
  rm -rf "$run"
  "$firn" train --data "$photos" --model "$model" --freeze head --augment none --epochs $([ $cache = off ] && echo 3 || echo 12) \
    --feature-cache $cache --output "$run" "$@" 2>&1 | { grep -E 'feature cache|images/s' || true; }
  echo "$model, --feature-cache $cache, seconds of each epoch after the first:" \
    "$(grep '"kind":"epoch"' "$run/metrics.jsonl" | tail -n +2 | sed 's/.*"seconds":\([0-9.]*\).*/\1/' | paste -sd' ')"
done
