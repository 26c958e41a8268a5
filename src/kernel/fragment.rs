//! The files under `shaders/`.

/// A file under `shaders/` and its text.
#[derive(Clone, Copy)]
pub(super) struct Fragment {
    pub path: &'static str,
    pub text: &'static str,
}

macro_rules! fragment {
    ($path:literal) => {
        Fragment { path: $path, text: include_str!(concat!("../../shaders/", $path)) }
    };
}
pub(super) use fragment;
