//! Recording into an app's encoder: what is written, what is not, and that the way it is recorded changes no bit.
mod divisors;
mod errors;
mod full {
    mod excess;
    mod layouts;
    mod reuse;
}
mod labels;
mod lost;
mod memory;
mod probabilities;
mod scratch;
mod startup;
mod threads;
mod timed;
mod tuned;
