#!/usr/bin/env bash
# Holds what `firn advise` chooses against what is best, and prints the tables: regret.sh FOLDER. Build Firn first (./firn).
# Goes on where it was stopped. FIRN_BUILD: another folder than target/firn with firn.jar and classpath; JAVA: a Java 25.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
build=${FIRN_BUILD:-$here/../../target/firn}
java=${JAVA:-java}
[[ $# = 1 ]] || { echo "regret.sh: which folder is to hold the results?" >&2; exit 2; }
[[ -r $build/firn.jar ]] || { echo "regret.sh: nothing is built in $build: run ./firn info" >&2; exit 1; }
mkdir -p "$1"
out=$(readlink -f "$1")

# Fashion-MNIST by Firn; scikit-learn's digits and Open Clip Art out of Debian's packages, which are not installed.
clothes=${XDG_CACHE_HOME:-$HOME/.cache}/firn/datasets/fashion-mnist
[[ -d $clothes ]] || "$here/../../firn" data fetch fashion-mnist
digits=$out/packages/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz
clipart=$out/packages/usr/share/openclipart/png
if [[ ! -e $digits || ! -e $clipart ]]; then
  mkdir -p "$out/packages"
  (cd "$out/packages" && apt-get download -q python3-sklearn openclipart-png && for deb in *.deb; do dpkg-deb -x "$deb" .; done)
fi

run() {
  "$java" --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    -XX:+UseSerialGC -Xmx2g -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 \
    -cp "$build/firn.jar:$(<"$build/classpath")" "$@"
}
if [[ ! -e $out/drawings ]]; then
  rm -rf "$out/drawings.new"
  run "$here/Drawings.java" "$clipart" "$out/drawings.new"
  mv "$out/drawings.new" "$out/drawings"
fi
# Two processes of one thread each: a step of nets so small gains nothing from a second.
for part in 0 1; do
  OMP_NUM_THREADS=1 run "$here/Regret.java" --clothes "$clothes" --digits "$digits" --drawings "$out/drawings" \
    --output "$out" --part $part/2 &
  parts+=($!)
done
trap 'kill "${parts[@]}" 2>/dev/null || true' EXIT
for p in "${parts[@]}"; do wait "$p"; done
run "$here/RegretTable.java" "$out"
