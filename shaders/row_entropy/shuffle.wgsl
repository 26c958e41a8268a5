fn shuffle_Sums(s: Sums, stride: u32) -> Sums {
    let softmax = Softmax(subgroupShuffleXor(s.softmax.m, stride), subgroupShuffleXor(s.softmax.D, stride));
    return Sums(softmax, subgroupShuffleXor(s.moment, stride), subgroupShuffleXor(s.bad, stride));
}
