use super::functions::ln_1p;
use super::lanes::{LANES, add_exponentials};
use super::rows::Group;
use super::softmax::Softmax;

/// Classes of a row at most that is short.
pub(super) const SHORT: usize = 64;

/// Softmaxes of as many as sixteen short rows, a row a lane: what [`super::lanes::largest`] and
/// [`super::lanes::exponentials`] find of one. In this order every array begins a cache line.
#[repr(C, align(64))]
pub(super) struct ShortRows {
    /// Logits, then exponentials, class by class.
    pub classes: [[f32; LANES]; SHORT],
    /// NaN for a row without a value.
    pub m: [f32; LANES],
    pub excess: [f64; LANES],
    log_sum: [f64; LANES],
    inv_sum: [f64; LANES],
    inv_t: f32,
}

impl ShortRows {
    pub fn new(inv_t: f32) -> Self {
        let lanes = [0.0; LANES];
        ShortRows {
            m: [0.0; LANES],
            excess: lanes,
            log_sum: lanes,
            inv_sum: lanes,
            inv_t,
            classes: [[0.0; LANES]; SHORT],
        }
    }

    /// Lanes beyond the last row compute that once more.
    #[inline(always)]
    pub fn compute(&mut self, x: &Group<'_>) {
        self.load(x);
        let classes = &mut self.classes[..x.n_classes];
        let (mut m, mut no_value) = ([f32::NEG_INFINITY; LANES], [0; LANES]);
        for x in &*classes {
            fold_largest(&mut m, &mut no_value, x);
        }
        for i in 0..LANES {
            m[i] = if no_value[i] == 0 && m[i] > f32::NEG_INFINITY { m[i] } else { f32::NAN };
        }
        let (mut sums, mut ties) = ([0.0; LANES], [0; LANES]);
        for x in classes {
            *x = add_exponentials(x, |i| m[i], self.inv_t, &mut sums, &mut ties);
        }
        self.m = m;
        for i in 0..LANES {
            self.excess[i] = f64::from(sums[i]) + (f64::from(ties[i]) - 1.0);
        }
        for i in 0..LANES {
            self.log_sum[i] = ln_1p(self.excess[i]);
            self.inv_sum[i] = 1.0 / (1.0 + self.excess[i]);
        }
    }

    #[inline(always)]
    fn load(&mut self, x: &Group<'_>) {
        for i in 0..LANES {
            let row = x.row(i.min(x.n_rows - 1));
            let (fours, rest) = row.as_chunks::<4>();
            for (lanes, four) in self.classes.as_chunks_mut::<4>().0.iter_mut().zip(fours) {
                for k in 0..4 {
                    lanes[k][i] = four[k];
                }
            }
            for (lanes, x) in self.classes[fours.len() * 4..].iter_mut().zip(rest) {
                lanes[i] = *x;
            }
        }
    }

    /// None for a row without a value.
    #[inline(always)]
    pub fn softmax(&self, i: usize) -> Option<Softmax> {
        (!self.m[i].is_nan()).then_some(self.lane(i))
    }

    /// The same where the row is known to have a value.
    #[inline(always)]
    pub fn lane(&self, i: usize) -> Softmax {
        let (m, excess, log_sum, inv_sum) = (self.m[i], self.excess[i], self.log_sum[i], self.inv_sum[i]);
        Softmax { m_logit: m, m, excess, log_sum, inv_sum, inv_t: self.inv_t }
    }

    /// The exponentials of row `i`, or what has come in their place.
    #[inline(always)]
    pub fn copy_row(&self, i: usize, e: &mut [f32]) {
        let (fours, rest) = e.as_chunks_mut::<4>();
        for (lanes, x) in self.classes[fours.len() * 4..].iter().zip(rest) {
            *x = lanes[i];
        }
        for (lanes, four) in self.classes.as_chunks::<4>().0.iter().zip(fours) {
            for k in 0..4 {
                four[k] = lanes[k][i];
            }
        }
    }
}

/// Each lane's largest number yet, and whether one of them was NaN or +inf.
#[inline(always)]
fn fold_largest(m: &mut [f32; LANES], no_value: &mut [u32; LANES], chunk: &[f32; LANES]) {
    for i in 0..LANES {
        m[i] = if chunk[i] > m[i] { chunk[i] } else { m[i] };
        no_value[i] |= if chunk[i] < f32::INFINITY { 0 } else { 1 };
    }
}
