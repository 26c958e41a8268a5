//! The lanes' partial results of type MONOID to one per `width` lanes: shuffles within a subgroup, workgroup memory
//! between subgroups. Right for any subgroup size in the device's range: it is read, unless there is but one.

var<workgroup> scratch_MONOID: array<MONOID, WORKGROUP_SIZE>;

fn reduce_MONOID(lane: Lane, own: MONOID, width: u32) -> MONOID {
    // 1. Partners a power of two apart; the lower one first in both, so that both get the same bits.
    let reach = min(width, lane.subgroup_size);
    var sum = own;
    for (var stride = 1u; stride < min(width, SUBGROUP_MAX); stride <<= 1u) {
        let other = shuffle_MONOID(sum, stride);
        if (stride < reach) {
            if ((lane.index & stride) == 0u) {
                sum = merge_MONOID(sum, other);
            } else {
                sum = merge_MONOID(other, sum);
            }
        }
    }
    if (width <= SUBGROUP_MIN) {
        return sum;
    }
    // 2. Across the row's subgroups, in order.
    workgroupBarrier();
    if (lane.index % reach == 0u) {
        scratch_MONOID[lane.index / reach] = sum;
    }
    workgroupBarrier();
    // Known to be 0 where it is: llvmpipe then loads once for all lanes.
    let first = select((lane.index - lane.index % width) / reach, 0u, width == WORKGROUP_SIZE);
    sum = scratch_MONOID[first];
    for (var k = 1u; k < width / reach; k++) {
        sum = merge_MONOID(sum, scratch_MONOID[first + k]);
    }
    return sum;
}
