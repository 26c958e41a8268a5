fn shuffle_Seen(s: Seen, stride: u32) -> Seen {
    return Seen(
        subgroupShuffleXor(s.moment, stride),
        subgroupShuffleXor(s.argmax, stride),
        subgroupShuffleXor(s.above, stride),
    );
}
