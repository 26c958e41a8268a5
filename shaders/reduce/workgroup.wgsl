//! The lanes' partial results of type MONOID to one per `width` lanes, through workgroup memory, sixteen at a time.

var<workgroup> scratch_MONOID: array<MONOID, WORKGROUP_SIZE>;

fn reduce_MONOID(lane: Lane, own: MONOID, width: u32) -> MONOID {
    if (width == 1u) {
        return own;
    }
    let rank = lane.index % width;
    let first = lane.index - rank;
    workgroupBarrier();
    scratch_MONOID[lane.index] = own;
    workgroupBarrier();
    for (var left = width; left > 1u; left = (left + 15u) / 16u) {
        let terms = min(left, 16u);
        let leads = rank < left / terms;
        var sum = own;
        if (leads) {
            sum = scratch_MONOID[first + rank * terms];
            for (var k = 1u; k < terms; k++) {
                sum = merge_MONOID(sum, scratch_MONOID[first + rank * terms + k]);
            }
        }
        workgroupBarrier();
        if (leads) {
            scratch_MONOID[first + rank] = sum;
        }
        workgroupBarrier();
    }
    return scratch_MONOID[first];
}
