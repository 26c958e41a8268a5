use std::array;
use std::time::{Duration, Instant};

/// burn tunes its kernels in the first few.
const WARM_UP: usize = 5;
pub const ROUNDS: usize = 9;

/// The median time of each run in milliseconds, all run in turns.
pub fn medians<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [f64; N] {
    for _ in 0..WARM_UP {
        runs.iter_mut().for_each(|run| run());
    }
    let rounds: Vec<[Duration; N]> = (0..ROUNDS).map(|_| runs.each_mut().map(timed)).collect();
    array::from_fn(|i| median(rounds.iter().map(|round| round[i]).collect()))
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}
