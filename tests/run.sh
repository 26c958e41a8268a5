#!/usr/bin/env bash
# Runs the whole test suite on a GPU, real or software; arguments go to `cargo test`.
#
#     tests/run.sh
#     tests/run.sh --test it cross_entropy
#
# All it needs is Rust. Where no GPU driver is installed, Debian's and Ubuntu's software Vulkan is, as root or by sudo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stop() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v cargo >/dev/null || stop "cargo is not installed; https://rustup.rs says how to get it"
command -v cc >/dev/null || stop "no C linker (cc); on Debian and Ubuntu: apt-get install build-essential"

# Built apart from running it, so that a build that fails is not taken for a machine without an adapter.
cargo build --quiet --example adapters

# The adapters that count, one a line, the device type last. Not GL, which comes without subgroups and would leave their
# kernels untested. Driver files on disk prove nothing, Mesa ships them for hardware that is absent, so wgpu is asked.
# What goes unheard on stderr is EGL's grumbling about the missing display.
adapters() {
    cargo run --quiet --example adapters 2>/dev/null | grep -E '^(Vulkan|Metal|Dx12)' || true
}

install_software_vulkan() {
    local packages="libvulkan1 mesa-vulkan-drivers"
    local by_hand="apt-get update && apt-get install --yes $packages"
    command -v apt-get >/dev/null ||
        stop "no Vulkan adapter and no apt-get: install your distribution's lavapipe, Mesa's software Vulkan"
    local sudo=""
    if [[ $(id -u) != 0 ]]; then
        sudo="sudo"
        by_hand="sudo sh -c '$by_hand'"
        command -v sudo >/dev/null || stop "no Vulkan adapter; as root, run: apt-get install $packages"
    fi
    echo "no Vulkan adapter: installing software Vulkan ($packages)"
    # shellcheck disable=SC2086 # both are lists of words, `sudo` possibly of none
    { $sudo apt-get update -qq && $sudo apt-get install --yes -qq $packages; } ||
        stop "could not install software Vulkan; to do it by hand: $by_hand"
}

found=$(adapters)
if [[ -z $found ]]; then
    install_software_vulkan
    found=$(adapters)
    [[ -n $found ]] || stop "software Vulkan is installed, but wgpu still sees no Vulkan adapter" \
        "VK_DRIVER_FILES='${VK_DRIVER_FILES-}' VK_ICD_FILENAMES='${VK_ICD_FILENAMES-}'"
fi
echo "$found"

# Surprisal takes a software adapter only when told to, and is told only where there is nothing better.
if grep -qv $'\tCpu$' <<<"$found"; then
    echo "testing on the GPU"
else
    export SURPRISAL_ADAPTER="${SURPRISAL_ADAPTER-software}"
    echo "testing with SURPRISAL_ADAPTER=$SURPRISAL_ADAPTER"
fi

# A test that cannot get its GPU fails instead of skipping itself.
export SURPRISAL_REQUIRE_GPU=1

# Software drivers hold on to memory until the process ends, gigabytes for tests that launch thousands of kernels: those
# run a few to a process. glibc's one heap for each of a driver's threads would multiply what they hold.
export MALLOC_ARENA_MAX=1
heavy=(losses:: record:: storage:: windows::)

# The tests whose names hold $1, four to a process.
in_batches() {
    cargo test --quiet --test it -- --list "$1" 2>/dev/null | sed -n 's/: test$//p' |
        xargs -n 4 cargo test --test it -- --exact
}

if [[ $# -gt 0 ]]; then
    cargo test "$@"
else
    # The same tests as `cargo test`.
    for group in "${heavy[@]}"; do
        in_batches "$group"
    done
    # shellcheck disable=SC2046 # a list of words
    cargo test -- $(printf -- '--skip %s ' "${heavy[@]}")
fi
