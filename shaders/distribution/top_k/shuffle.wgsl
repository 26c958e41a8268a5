fn shuffle_Mass(m: Mass, stride: u32) -> Mass {
    return Mass(
        subgroupShuffleXor(m.sum, stride), subgroupShuffleXor(m.tail, stride), subgroupShuffleXor(m.tip, stride),
        subgroupShuffleXor(m.n, stride), subgroupShuffleXor(m.flags, stride),
    );
}
