#!/usr/bin/env bash
# Runs the tests on a GPU, real or software.
#
#     tests/run.sh                          # the quick proof: a pair of everything
#     tests/run.sh --full                   # everything there is
#     tests/run.sh --test it properties::   # these arguments go to `cargo test`
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

# Kernels are made by the hundred and run a few times: without line numbers, and on llvmpipe without LLVM's optimiser,
# they take a third less. The cases of other libraries keep it, so that every loss is seen as an app would run it. EGL
# grumbles where it finds no place for its sockets.
export WGPU_DEBUG=0
export optimised="${GALLIVM_PERF-}"
export GALLIVM_PERF="${GALLIVM_PERF-nopt}"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"

full=""
[[ ${1-} != --full ]] || { full=1; shift; }
if [[ $# -gt 0 ]]; then
    cargo test "$@"
    exit
fi

# The quick proof has tests that loop over engines take them in turn.
[[ -n $full ]] || export SURPRISAL_PROOF=quick

# Every pipeline of an engine on a GPU leaves a line here: making them is most of what the tests cost.
SURPRISAL_PIPELINES=$(mktemp -d)
export SURPRISAL_PIPELINES
trap 'rm -rf "$SURPRISAL_PIPELINES"' EXIT
most_pipelines=2500

# A software driver takes a tenth of a second and a megabyte for a pipeline, works on the thread that asks, and keeps
# the memory until the process ends: the tests that launch kernels run in processes of their own, one for each core,
# each with one thread and one heap. Those of a module share pipelines, in the full proof those of a submodule, since
# the memory would not do; long ones have engines of their own. The others share a process and its heaps, one for each
# thread. The longest come first.
launching=(properties:: record:: cover:: suites:: class_windows:: storage:: planes:: runs:: windows:: losses::)
cores=$(getconf _NPROCESSORS_ONLN)

# Tests of modules named `full` are for the full proof.
chosen() {
    if [[ -n $full ]]; then cat; else grep -v '::full::'; fi
}

# The tests whose names begin with $1, a process's share a line.
shares() {
    grep "^$1" <<<"$all" | chosen | awk -F:: -v full="$full" '
        { module = /^(cover|losses|storage)::/ ? $0 : $1 (full && NF > 2 ? "::" $2 : "")
          if (!(module in shares)) names[++n] = module
          shares[module] = shares[module] " " $0 }
        END { for (i = 1; i <= n; i++) print shares[names[i]] }' || true
}

# Runs one share, and prints in one piece what came of it.
run_share() {
    local output status=0
    [[ $1 != suites::* ]] || export GALLIVM_PERF="$optimised"
    output=$(MALLOC_ARENA_MAX=1 "$it" --exact --test-threads=1 "$@" 2>&1) || status=1
    printf '%s\n' "$1 and what is with it: ${output#$'\n'}"
    return $status
}
export -f run_share

it=$(cargo test --no-run --test it 2>&1 | tee >(cat >&2) | sed -n 's/.*Executable.*(\(.*\))$/\1/p')
export it
all=$("$it" --list 2>/dev/null | sed -n 's/: test$//p')
[[ -n $all ]] || stop "the binary of the tests lists none"
for group in "${launching[@]}"; do
    shares "$group"
done | xargs -P "$((cores < 4 ? cores : 4))" -L 1 bash -c 'run_share "$@"' run_share
# shellcheck disable=SC2046 # a list of words
"$it" --exact $(chosen <<<"$all" | grep -vE "^($(IFS='|'; echo "${launching[*]}"))")
cargo test --quiet --test allocations --test out_of_memory --lib \
    --example train_digits --example evaluate --example distill --example segmentation
cargo test --quiet --doc

made=$(cat "$SURPRISAL_PIPELINES"/* | wc -l)
distinct=$(cat "$SURPRISAL_PIPELINES"/* | sort -u | wc -l)
tests=$(chosen <<<"$all" | wc -l)
echo "$tests tests of the binary \`it\` passed in $((SECONDS / 60)) min $((SECONDS % 60)) s; they made $made pipelines, $distinct of them distinct"
if [[ -z $full && $made -gt $most_pipelines ]]; then
    stop "the quick proof may make $most_pipelines pipelines"
fi
echo "$tests passed, 0 failed"
