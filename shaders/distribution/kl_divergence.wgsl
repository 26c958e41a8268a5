//! Kullback-Leibler divergence KL(P||Q): the mean under P of log p - log q.

const UNDER_P: bool = true;
const READS_LOG_P: bool = true;

fn log_ratio(log_p: f32, log_q: f32) -> f32 {
    return log_p - log_q;
}
