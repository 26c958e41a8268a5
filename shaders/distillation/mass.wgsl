//! What lanes share of a teacher that names its classes.

alias Mass = soft_Mass;

fn merge_Mass(a: Mass, b: Mass) -> Mass {
    return soft_merge_Mass(a, b);
}
