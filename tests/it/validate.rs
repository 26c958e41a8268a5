//! Every refusal, once, with its message; and the neighbours that are fine.
mod host;
mod spec;
