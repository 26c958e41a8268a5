use bytemuck::{Pod, Zeroable};

/// What a dispatch tells its kernel: the twin of `Params` in `shaders/params.wgsl`, compared with it by a test.
#[allow(missing_docs, reason = "each field is documented in params.wgsl, whose names they are")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Params {
    pub n_rows: u32,
    pub n_classes: u32,
    pub last_row: u32,
    pub grid_width: u32,
    pub logits: u32,
    pub logits_stride: u32,
    pub targets: u32,
    pub targets_stride: u32,
    pub dlogits: u32,
    pub dlogits_stride: u32,
    pub values: u32,
    pub values_stride: u32,
    pub row_state: u32,
    pub classes: u32,
    pub classes_stride: u32,
    pub weights: u32,
    pub weights_row_stride: u32,
    pub weights_class_stride: u32,
    pub dloss: u32,
    pub dloss_row_stride: u32,
    pub dloss_class_stride: u32,
    pub divisor: u32,
    pub n_divisors: u32,
    pub divisor_value: f32,
    pub ignore_index: i32,
    pub has_ignore_index: u32,
    pub label_smoothing: f32,
    pub class_weight_sum: f32,
    pub inv_temperature: f32,
    pub scale: f32,
    pub zero: u32,
    pub padding: u32,
    pub loss_args: [f32; 4],
}
