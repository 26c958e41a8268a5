//! Every kernel's text, held against naga: no device takes part.
mod barriers;
mod interface;
mod params;
mod translation;
mod validation;

use surprisal::kernel::{Access, Gradient, Kernel};

use crate::support::shader::{Parsed, for_each};

/// What must hold of each kernel, beside that it parses and validates with the capabilities it declares.
const CHECKS: &[fn(&Parsed)] = &[
    barriers::lanes_wait_for_each_other,
    interface::storage_buffers_are_those_of_the_binding_table,
    interface::saved_sums_have_the_width_that_scratch_is_made_for,
    interface::every_binding_is_used_and_written_as_the_table_says,
    interface::uniform_buffers_are_params_at_binding_0_and_those_of_a_second_part,
    interface::the_entry_point_has_the_kernels_name_and_an_overridable_size,
    interface::overrides_are_those_that_pipelines_set,
    interface::the_second_part_of_a_sum_reads_its_options_alone,
    params::params_are_the_same_bytes_on_both_sides,
    validation::no_kernel_enables_an_extension,
];

/// What depends on a kernel's functions and takes longer. How inputs are bound and where the gradient goes are a line
/// each: two kernels of four have all of both.
const CHECKS_OF_FUNCTIONS: &[fn(&Parsed)] = &[
    interface::what_lanes_share_fits_the_default_limit,
    translation::every_language_has_the_kernel,
    validation::no_kernel_validates_with_less,
];

#[test]
fn kernels_in_which_every_two_choices_meet_pass_every_check() {
    let kernels = Kernel::each_pair();
    println!("{} kernels", kernels.len());
    for_each(&kernels, |parsed| CHECKS.iter().chain(CHECKS_OF_FUNCTIONS).for_each(|check| check(parsed)));
}

/// Every kernel there is.
mod full {
    use super::*;

    #[test]
    fn every_kernel_passes_every_check() {
        for_each(&Kernel::all(), |parsed| {
            CHECKS.iter().for_each(|check| check(parsed));
            if (parsed.kernel.access == Access::Arena) == (parsed.kernel.gradient == Gradient::InPlace) {
                CHECKS_OF_FUNCTIONS.iter().for_each(|check| check(parsed));
            }
        });
    }
}
