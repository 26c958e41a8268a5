//! A teacher with one number per class.

const IS_DENSE: bool = true;
