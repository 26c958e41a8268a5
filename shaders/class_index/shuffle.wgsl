fn shuffle_Sums(s: Sums, stride: u32) -> Sums {
    let softmax = Softmax(subgroupShuffleXor(s.softmax.m, stride), subgroupShuffleXor(s.softmax.D, stride));
    var spread = 0f;
    var weight = 0f;
    if (LABEL_SMOOTHING) {
        spread = subgroupShuffleXor(s.spread, stride);
        weight = subgroupShuffleXor(s.weight, stride);
    }
    return Sums(softmax, spread, weight, subgroupShuffleXor(s.flags, stride), shuffle_Seen(s.seen, stride));
}
