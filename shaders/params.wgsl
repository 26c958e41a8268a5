//! What a call tells a kernel, and where a lane stands. Positions and strides count elements within the slot's
//! binding (words where those are 64-bit labels); a batch larger than a binding arrives as several windows of rows, and
//! a row larger than one as several windows of classes.

struct Params {
    n_rows: u32,
    n_classes: u32,
    /// Rows that lie side by side, and so elements from one class to the next: 1 where a row's classes are side by
    /// side. Of a sum: words from one column of terms to the next.
    inner: u32,
    /// The classes this dispatch sees, first_class..end_class: all of them, unless a row exceeds a binding. Positions
    /// and strides are such that a row's class is found by its index in the row.
    first_class: u32,
    end_class: u32,
    /// Where the last row of this window ends: before end_class where a flat tensor is read as rows.
    last_row: u32,
    /// Workgroups along x; the rest of the grid lies along y.
    grid_width: u32,
    /// Of a sum: where its terms start, and words from one to the next.
    logits: u32,
    logits_stride: u32,
    targets: u32,
    targets_stride: u32,
    dlogits: u32,
    dlogits_stride: u32,
    values: u32,
    values_stride: u32,
    row_state: u32,
    /// One word per side output asked for, and row.
    side: u32,
    side_width: u32,
    row_weights: u32,
    row_weights_stride: u32,
    classes: u32,
    classes_stride: u32,
    /// What a kept row counts in a divisor before weights: 1, C for a mean over elements, 1/inner for one over slabs.
    row_size: f32,
    /// Labels of rows that do not count: where they start in classes, and how many there are.
    ignored: u32,
    n_ignored: u32,
    weights: u32,
    weights_row_stride: u32,
    weights_class_stride: u32,
    dloss: u32,
    dloss_row_stride: u32,
    dloss_class_stride: u32,
    divisor: u32,
    /// Partial divisors to add up; 0: the divisor is divisor_value.
    n_divisors: u32,
    divisor_value: f32,
    /// Partial counts of the kept rows, where the divisor weighs them; 0: it is their count.
    kept: u32,
    n_kept: u32,
    /// With label smoothing, the target is target_share at its class plus even_share at every class; even_sum is
    /// even_share times the sum of the class weights.
    target_share: f32,
    even_share: f32,
    even_sum: f32,
    inv_temperature: f32,
    softcap: f32,
    inv_softcap: f32,
    z_loss: f32,
    poly1: f32,
    /// A target with fewer logits above it than this is a hit.
    top_k: u32,
    /// Factor on loss and gradient.
    scale: f32,
    /// 0, which no compiler can know.
    zero: u32,
    dtargets: u32,
    dtargets_stride: u32,
    /// Of a distillation: where its teacher's numbers or ids start, as for targets.
    teacher: u32,
    teacher_stride: u32,
    /// Factor on a part of a weighted sum of losses.
    part_weight: f32,
    /// Labels beside their logits, two words a row.
    truths: u32,
    /// Of a top-k teacher: where its numbers start, the classes a row names, and what the others have.
    target_probs: u32,
    k: u32,
    rest: u32,
    /// 1: one value per row; 0: one per workgroup.
    per_row: u32,
    /// Of a count: what a row's weight makes of its share, and whether its class's factor (1) does.
    row_count: u32,
    weighs_classes: u32,
    /// Of a sum: whether it is the last, and then what a mean over nothing is.
    closing: u32,
    /// What the loss's own fragment names.
    loss_args: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;

override WORKGROUP_SIZE: u32 = 64u;
/// Lanes that share a row: a power of two, at most WORKGROUP_SIZE.
override LANES: u32 = 64u;
/// Whether the factor of each class is looked up, where every class of a row has one.
override CLASS_FACTORS: bool = true;
override LABEL_SMOOTHING: bool = true;
/// Whether T is other than 1.
override TEMPERATURE: bool = true;
override SOFTCAP: bool = true;
/// Whether z-loss or poly-1 takes part.
override ROW_EXTRAS: bool = true;
/// Whether 0 times infinity is NaN, as in PyTorch, rather than 0; see the policy's table.
override PYTORCH_CORNERS: bool = true;

const NAN: u32 = 0x7fc00000u;
const POS_INF: u32 = 0x7f800000u;
const NEG_INF: u32 = 0xff800000u;
/// f32::MIN: the running maximum before the first logit.
const LOWEST: f32 = -0x1.fffffep+127f;

/// No partial sum takes more terms than this before it folds into the next level.
const TILES_PER_BLOCK: u32 = 64u;

/// A row's saved state: the family's first STATE_WIDTH words of these.
alias State = array<u32, 9>;

/// params.zero, read once.
var<private> zero: u32;

/// The value, by a way compilers cannot see through: sums around it are not regrouped. Metal's fast mode, for one,
/// would turn (x - m) - y into x - (m + y).
fn opaque(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ zero);
}

struct Place {
    /// Linear index of the workgroup.
    group: u32,
    row: u32,
    /// This lane among the row's lanes.
    rank: u32,
    /// This lane's first class, and where the row's classes end in this dispatch: at 0 past the last row.
    first: u32,
    end: u32,
    /// Where the row's elements start in each tensor.
    logits: u32,
    targets: u32,
    dlogits: u32,
}

fn place_of(lane: u32, workgroup_id: vec3<u32>) -> Place {
    let group = workgroup_id.x + workgroup_id.y * params.grid_width;
    let row = group * (WORKGROUP_SIZE / LANES) + lane / LANES;
    let rank = lane % LANES;
    var end = select(params.end_class, params.last_row, row + 1u == params.n_rows);
    if (row >= params.n_rows) {
        end = 0u;
    }
    zero = params.zero;
    return Place(
        group, row, rank, params.first_class + rank * 4u, end,
        params.logits + row_start(row, params.logits_stride),
        params.targets + row_start(row, params.targets_stride),
        params.dlogits + row_start(row, params.dlogits_stride),
    );
}

/// A lane's row, or for lanes past the last one a row that is there.
fn row_to_read(place: Place) -> u32 {
    return min(place.row, params.n_rows - 1u);
}

fn is_bad(bits: u32) -> bool {
    return (bits << 1u) >= 0xff000000u && bits != NEG_INF;
}

fn is_nan(bits: u32) -> bool {
    return (bits << 1u) > 0xff000000u;
}
