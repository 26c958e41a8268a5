//! The files under `shaders/`.

/// A file under `shaders/` and its text.
#[derive(Clone, Copy)]
pub(super) struct Fragment {
    pub path: &'static str,
    pub built_in: &'static str,
}

macro_rules! fragment {
    ($path:literal) => {
        Fragment { path: $path, built_in: include_str!(concat!("../../shaders/", $path)) }
    };
}
pub(super) use fragment;

impl Fragment {
    /// Its WGSL.
    #[cfg(not(surprisal_shaders_from_disk))]
    pub fn text(self) -> &'static str {
        self.built_in
    }

    /// Its WGSL as it is on disk, read once a process: the faults of `tests/mutations` need no build.
    #[cfg(surprisal_shaders_from_disk)]
    pub fn text(self) -> &'static str {
        use std::collections::HashMap;
        use std::sync::{LazyLock, Mutex, PoisonError};

        static READ: LazyLock<Mutex<HashMap<&str, &str>>> = LazyLock::new(Mutex::default);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/");
        let read =
            || std::fs::read_to_string(format!("{folder}{}", self.path)).map_or(self.built_in, |text| text.leak());
        READ.lock().unwrap_or_else(PoisonError::into_inner).entry(self.path).or_insert_with(read)
    }
}
