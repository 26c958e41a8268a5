//! The f64 oracle is right: by finite differences, hand-derived numbers, PyTorch, identities, and the corner table.
mod closed_forms;
mod corners;
mod distillation;
mod gradients;
mod invariants;
mod negative_log_likelihood;
mod pytorch;
mod row_options;
mod top_k;
