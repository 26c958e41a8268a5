//! Cross-entropy with a distribution: the mean under P of -log q.

const UNDER_P: bool = true;
const READS_LOG_P: bool = false;

fn log_ratio(log_p: f32, log_q: f32) -> f32 {
    return -log_q;
}
