#!/usr/bin/env bash
# Installs what Firn needs on Debian or Ubuntu; run as root. The images are made by this script too.
#   docker/install.sh          a JDK 25 and Maven
#   docker/install.sh --cuda   NVIDIA's libraries besides (cuDNN, cuBLAS, NVRTC, the runtime; no driver), into /opt/nvidia
# Certificates of a network that has its own go to docker/certificates/*.crt before.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cuda=false
for option in "$@"; do
  case $option in
    --cuda) cuda=true ;;
    *) echo "install.sh: $option: there is --cuda and nothing else" >&2; exit 2 ;;
  esac
done
[[ $(id -u) == 0 ]] || { echo "install.sh: run it as root, such as with sudo" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "install.sh: this is neither Debian nor Ubuntu: install a JDK 25 and Maven" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive

install() {
  apt-get install -y -q --no-install-recommends "$@"
}

mkdir -p /usr/local/share/ca-certificates
for certificate in "$here"/certificates/*.crt; do
  [[ -e $certificate ]] && cp "$certificate" /usr/local/share/ca-certificates/
done
apt-get update -q
install ca-certificates
update-ca-certificates

# The distribution's JDK where it has one (Debian 13, Ubuntu 24.04 and later), else Eclipse Temurin's.
if [[ -n $(apt-cache --names-only search '^openjdk-25-jdk-headless$') ]]; then
  install openjdk-25-jdk-headless
else
  install curl
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  curl -fsSL https://packages.adoptium.net/artifactory/api/gpg/key/public -o /usr/share/keyrings/adoptium.asc
  echo "deb [signed-by=/usr/share/keyrings/adoptium.asc] https://packages.adoptium.net/artifactory/deb $suite main" \
    >/etc/apt/sources.list.d/adoptium.list
  apt-get update -q
  install temurin-25-jdk
fi
install maven

if $cuda; then
  # The compiler makes a stand-in for the driver, with which plans are checked where there is no GPU.
  install python3-pip gcc libc6-dev
  pip install --break-system-packages --no-cache-dir --root-user-action ignore --target /opt/nvidia -r "$here/nvidia.txt"
  echo "export FIRN_CUDA_LIBS=/opt/nvidia" >/etc/profile.d/firn.sh
  echo "NVIDIA's libraries are in /opt/nvidia: new shells know them; here, export FIRN_CUDA_LIBS=/opt/nvidia"
fi
apt-get clean
