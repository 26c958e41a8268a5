fn shuffle_Sums(s: Sums, stride: u32) -> Sums {
    return Sums(
        Softmax(subgroupShuffleXor(s.student.m, stride), subgroupShuffleXor(s.student.D, stride)),
        Softmax(subgroupShuffleXor(s.teacher.m, stride), subgroupShuffleXor(s.teacher.D, stride)),
        subgroupShuffleXor(s.given_q, stride),
        subgroupShuffleXor(s.given_p, stride),
        subgroupShuffleXor(s.mean, stride),
        subgroupShuffleXor(s.missed, stride),
        subgroupShuffleXor(s.flags, stride),
        shuffle_Seen(s.seen, stride),
    );
}
