use crate::Batch;

/// The columns of every program here, those in Python too.
pub fn head() {
    println!("| N x C | storage | library | ms | copy, ms | of copy |\n|---|---|---|---|---|---|");
}

/// Of copy: the bytes of the floor over the library's time, as a fraction of the bytes copied over the copy's time.
pub fn row(batch: &Batch, library: &str, ms: f64, copy: f64) {
    let Batch { n_rows, n_classes, .. } = batch;
    let of_copy = 100.0 * (batch.floor() as f64 / ms) / (batch.copied() as f64 / copy);
    println!("| {n_rows} x {n_classes} | f32 | {library} | {ms:.2} | {copy:.2} | {of_copy:.1} % |");
}
