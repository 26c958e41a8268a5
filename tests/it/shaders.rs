//! Every kernel's text, held against naga: no device takes part.
mod interface;
mod params;
mod translation;
mod validation;
