//! What a pipeline knows and its kernel's text leaves open.

use super::{Kernel, Slot};
use crate::Storage;

/// Values of a kernel's overrides: numbers, not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Constants {
    pub workgroup_size: u32,
    pub lanes: u32,
    pub class_factors: bool,
    pub element_weights: bool,
    pub upstream: Upstream,
    pub label_smoothing: bool,
    pub temperature: bool,
    pub softcap: bool,
    /// Of the second part of a sum.
    pub soft_temperature: bool,
    pub row_extras: bool,
    pub side: u32,
    pub pytorch_corners: bool,
    pub terms_per_lane: u32,
    /// Classes in the tiles that a lane keeps from its first pass to its second, if its kernel does.
    pub kept_classes: u32,
    pub subgroup_sizes: (u32, u32),
    /// By slot, where the kernel leaves it open.
    pub storage: [Storage; Slot::COUNT],
}

/// The gradient that comes from upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Upstream {
    None = 0,
    /// One number for several elements.
    Shared = 1,
    PerElement = 2,
}

impl Constants {
    /// Rows that a workgroup stands on.
    pub fn rows_per_group(&self) -> u64 {
        (self.workgroup_size / self.lanes).into()
    }

    /// The overrides that the kernel's text declares, by name.
    pub fn overrides(&self, kernel: Kernel) -> Vec<(&'static str, f64)> {
        let value = |name| match name {
            "WORKGROUP_SIZE" => self.workgroup_size.into(),
            "LANES" => self.lanes.into(),
            "CLASS_FACTORS" => u32::from(self.class_factors).into(),
            "ELEMENT_WEIGHTS" => u32::from(self.element_weights).into(),
            "UPSTREAM" => (self.upstream as u32).into(),
            "LABEL_SMOOTHING" => u32::from(self.label_smoothing).into(),
            "TEMPERATURE" => u32::from(self.temperature).into(),
            "SOFTCAP" => u32::from(self.softcap).into(),
            "soft_TEMPERATURE" => u32::from(self.soft_temperature).into(),
            "ROW_EXTRAS" => u32::from(self.row_extras).into(),
            "SIDE" | "hard_SIDE" => self.side.into(),
            "PYTORCH_CORNERS" => u32::from(self.pytorch_corners).into(),
            "TERMS_PER_LANE" => self.terms_per_lane.into(),
            "KEPT_CLASSES" => self.kept_classes.into(),
            "SUBGROUP_MIN" => self.subgroup_sizes.0.into(),
            "SUBGROUP_MAX" => self.subgroup_sizes.1.into(),
            _ => {
                let slot = Slot::ALL.into_iter().find(|slot| slot.storage_override() == Some(name));
                (self.storage[slot.expect("a name from the kernel's list") as usize - 1] as u32).into()
            }
        };
        kernel.overrides().into_iter().map(|name| (name, value(name))).collect()
    }
}
