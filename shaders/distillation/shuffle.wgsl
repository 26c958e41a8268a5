fn shuffle_Sums(s: Sums, stride: u32) -> Sums {
    return Sums(hard_shuffle_Sums(s.hard, stride), soft_shuffle_Sums(s.soft, stride));
}
