fn shuffle_Sums(s: Sums, stride: u32) -> Sums {
    return Sums(
        Softmax(subgroupShuffleXor(s.student.m, stride), subgroupShuffleXor(s.student.D, stride)),
        Softmax(subgroupShuffleXor(s.teacher.m, stride), subgroupShuffleXor(s.teacher.D, stride)),
        subgroupShuffleXor(s.plogp, stride),
        subgroupShuffleXor(s.plogq, stride),
        subgroupShuffleXor(s.mass, stride),
        subgroupShuffleXor(s.flags, stride),
    );
}
