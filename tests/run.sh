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

# Kernels are made by thousands and run a few times: without line numbers, and on llvmpipe without LLVM's optimiser,
# they take a third less. The cases of other libraries keep it, so that every loss is seen as an app would run it. EGL
# grumbles where it finds no place for its sockets.
export WGPU_DEBUG=0
export optimised="${GALLIVM_PERF-}"
export GALLIVM_PERF="${GALLIVM_PERF-nopt}"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"

# A software driver takes a tenth of a second and a megabyte for a pipeline, works on the thread that asks, and keeps
# the memory until the process ends: the tests that launch kernels run in processes of their own, one for each core,
# each with one thread and one heap. Those of a module share pipelines, but for long ones that have engines of their
# own. The others share a process and its heaps, one for each thread.
launching=(runs:: properties:: planes:: record:: storage:: losses:: windows:: class_windows:: suites::)
cores=$(getconf _NPROCESSORS_ONLN)

# The tests whose names begin with $1, a process's share a line.
shares() {
    cargo test --quiet --test it -- --list "$1" 2>/dev/null | sed -n "s/^\($1.*\): test$/\1/p" | awk -F:: '
        { module = (/^(losses|storage)::/ || /::part_/) ? $0 : $1 (NF > 2 ? "::" $2 : ""); shares[module] = shares[module] " " $0 }
        END { for (module in shares) print shares[module] }' | sort | grep . || stop "no test's name begins with $1"
}

# Runs one share, and prints in one piece what came of it.
run_share() {
    local output status=0
    [[ $1 != suites::* ]] || export GALLIVM_PERF="$optimised"
    output=$(MALLOC_ARENA_MAX=1 cargo test --test it -- --exact --test-threads=1 "$@" 2>&1) || status=1
    printf '%s\n' "$output"
    return $status
}
export -f run_share

if [[ $# -gt 0 ]]; then
    cargo test "$@"
else
    # The same tests as `cargo test`.
    for group in "${launching[@]}"; do
        shares "$group"
    done | xargs -P "$((cores < 4 ? cores : 4))" -L 1 bash -c 'run_share "$@"' run_share
    # shellcheck disable=SC2046 # a list of words
    cargo test --test it -- $(printf -- '--skip %s ' "${launching[@]}")
    cargo test --test allocations --test out_of_memory --lib \
        --example train_digits --example evaluate --example distill --example segmentation
    cargo test --doc
fi
