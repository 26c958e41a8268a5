/// Whether every benchmark is run once, untimed: criterion's rule, which it keeps to itself.
pub fn is_test() -> bool {
    let given = |flag| std::env::args().any(|argument| argument == flag);
    given("--test") || !given("--bench")
}
