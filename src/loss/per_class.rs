use crate::Error;

/// One number for all classes, or one per class.
#[derive(Clone, Debug, PartialEq)]
pub enum PerClass {
    /// The same for every class.
    All(f32),
    /// One per class.
    Each(Vec<f32>),
}

impl From<f32> for PerClass {
    fn from(value: f32) -> Self {
        PerClass::All(value)
    }
}

impl From<Vec<f32>> for PerClass {
    fn from(values: Vec<f32>) -> Self {
        PerClass::Each(values)
    }
}

impl From<&[f32]> for PerClass {
    fn from(values: &[f32]) -> Self {
        PerClass::Each(values.to_vec())
    }
}

impl<const N: usize> From<[f32; N]> for PerClass {
    fn from(values: [f32; N]) -> Self {
        PerClass::Each(values.to_vec())
    }
}

/// The one-element vector that stands for "the same for every class".
pub(crate) const ONE: &[f32] = &[1.0];

impl PerClass {
    pub(crate) fn as_slice(&self) -> &[f32] {
        match self {
            PerClass::All(value) => std::slice::from_ref(value),
            PerClass::Each(values) => values,
        }
    }

    pub(crate) fn check(&self, option: &'static str, n_classes: usize) -> Result<(), Error> {
        match self {
            PerClass::All(value) => Self::check_values(option, std::slice::from_ref(value), 1),
            PerClass::Each(values) => Self::check_values(option, values, n_classes),
        }
    }

    pub(crate) fn check_values(option: &'static str, values: &[f32], expected: usize) -> Result<(), Error> {
        if values.len() != expected {
            return Err(Error::ClassVectorLength { option, expected, found: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(class) => Err(Error::ClassVectorValue { option, class, found: values[class] }),
            None => Ok(()),
        }
    }
}
