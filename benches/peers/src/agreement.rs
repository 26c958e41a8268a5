use crate::Batch;

/// The mean loss, and the gradient `[N, C]`.
pub type Results = (f32, Vec<f32>);

/// That surprisal and a peer say the same of the batch: the loss to 1e-5 of itself, each gradient to 1e-5 of 1/N.
pub fn agree(batch: &Batch, ours: Results, peer: &str, theirs: Results) -> Result<(), String> {
    let ((a, da), (b, db)) = (ours, theirs);
    let apart =
        |a: f32, b: f32, scale: f32| (a - b).abs().partial_cmp(&(1e-5 * scale)).is_none_or(|order| order.is_gt());
    if apart(a, b, b) {
        return Err(format!("surprisal's loss is {a}, {peer}'s {b}"));
    }
    let n = batch.n_rows as f32;
    match da.iter().zip(&db).position(|(&a, &b)| apart(a, b, 1.0 / n)) {
        Some(i) => Err(format!("at {i}, surprisal's gradient is {}, {peer}'s {}", da[i], db[i])),
        None if da.len() == db.len() => Ok(()),
        None => Err(format!("surprisal has {} gradients, {peer} {}", da.len(), db.len())),
    }
}
