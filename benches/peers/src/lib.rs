//! What every comparison shares: the batches, the check before anything is timed, the rounds and the table.

mod agreement;
mod batch;
mod rounds;
mod table;

pub use agreement::{Results, agree};
pub use batch::{Batch, SHAPES};
pub use rounds::{ROUNDS, medians};
pub use table::{head, row};
