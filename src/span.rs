//! Spans of the app's `tracing`, where the feature of that name is on; nothing otherwise.

/// From here to the end of the block: a span of this name, with a field that `Display`s.
macro_rules! span {
    ($name:literal, $field:ident = $value:expr) => {
        #[cfg(feature = "tracing")]
        let _span = tracing::debug_span!($name, $field = %$value).entered();
    };
}

pub(crate) use span;
