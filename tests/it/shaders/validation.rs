//! Every kernel validates with exactly the capabilities it declares, and has a name of its own.

use std::collections::HashSet;

use surprisal::kernel::Kernel;

use crate::support::shader::{Parsed, capabilities, validate};

/// A subgroup kernel that needs no subgroups would be a workgroup kernel under a wrong name.
pub fn no_kernel_validates_with_less(parsed: &Parsed) {
    let declared = capabilities(parsed.kernel);
    for one in declared.iter() {
        assert!(validate(&parsed.module, declared - one).is_err(), "{} declares {one:?}", parsed.label);
    }
}

#[test]
fn kernels_have_labels_of_their_own() {
    let mut labels = HashSet::new();
    for kernel in Kernel::all() {
        assert!(labels.insert(kernel.label()), "{} names two kernels", kernel.label());
    }
}

/// naga 30 refuses `enable subgroups;` and browsers require it: that line is written where the browser is known.
pub fn no_kernel_enables_an_extension(parsed: &Parsed) {
    assert!(!parsed.source.contains("enable "), "{}", parsed.label);
}
