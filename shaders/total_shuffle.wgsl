fn shuffle_Total(total: Total, stride: u32) -> Total {
    return Total(subgroupShuffleXor(total.sum, stride), subgroupShuffleXor(total.flags, stride));
}
