fn shuffle_Seen(s: Seen, stride: u32) -> Seen {
    return s;
}
