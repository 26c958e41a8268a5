//! Reverse Kullback-Leibler divergence KL(Q||P): the mean under Q of log q - log p.

const UNDER_P: bool = false;
const READS_LOG_P: bool = true;

fn log_ratio(log_p: f32, log_q: f32) -> f32 {
    return log_q - log_p;
}
