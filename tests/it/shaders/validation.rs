//! Every kernel parses, and validates with exactly the capabilities it declares.

use std::collections::HashSet;

use surprisal::kernel::Kernel;

use crate::support::shader::{capabilities, for_every_kernel, validate};

#[test]
fn every_kernel_validates_with_the_capabilities_it_declares() {
    for_every_kernel(|_| {});
}

/// A subgroup kernel that needs no subgroups would be a workgroup kernel under a wrong name.
#[test]
fn no_kernel_validates_with_less() {
    for_every_kernel(|parsed| {
        let declared = capabilities(parsed.kernel);
        for one in declared.iter() {
            assert!(validate(&parsed.module, declared - one).is_err(), "{} declares {one:?}", parsed.label);
        }
    });
}

#[test]
fn kernels_have_labels_of_their_own() {
    let mut labels = HashSet::new();
    for kernel in Kernel::all() {
        assert!(labels.insert(kernel.label()), "{} names two kernels", kernel.label());
    }
}

/// naga 30 refuses `enable subgroups;` and browsers require it: that line is written where the browser is known.
#[test]
fn no_kernel_enables_an_extension() {
    for kernel in Kernel::all() {
        assert!(!kernel.source().contains("enable "), "{}", kernel.label());
    }
}
