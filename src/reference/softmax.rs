use super::{Row, Tensors, dloss_values, row_softmax};
use crate::loss::AnySoftmax;
use crate::reference::Real;
use crate::validate::Problem;

/// A row's softmax as the pair `(m, D)`: the maximum logit, and the sum of `exp((x_c - m)/T)` over all classes but one
/// that attains it (Blanchard, Higham & Higham 2021 for the shift). Nothing in it cancels.
///
/// With a soft cap every `x` is `u = cap tanh(x/cap)`, except that `m` is kept as the logit itself.
pub(super) struct Softmax {
    x: Vec<f32>,
    map: LogitMap,
    /// `(x_c - m) / T`, at most 0.
    shifted: Vec<Real>,
    /// `du/dx` of each logit.
    slopes: Vec<Real>,
    pub m: Real,
    pub excess: Real,
}

/// What a logit goes through before the softmax.
#[derive(Clone, Copy)]
pub(super) struct LogitMap {
    pub softcap: Option<f32>,
    pub temperature: f32,
}

impl LogitMap {
    /// `cap tanh(x/cap)`; -inf stays.
    fn capped(self, x: f32) -> Real {
        match self.softcap {
            Some(cap) if x != f32::NEG_INFINITY => (Real::from(x) / cap).tanh() * cap,
            _ => x.into(),
        }
    }

    /// `1/cosh^2(x/cap)`; 0 at -inf.
    fn slope(self, x: f32) -> Real {
        match self.softcap {
            None => Real::ONE,
            Some(_) if x == f32::NEG_INFINITY => Real::ZERO,
            Some(cap) => (Real::from(x) / cap).sech_squared(),
        }
    }
}

impl Softmax {
    /// None for a row without a value: a NaN, an infinity that is not a mask, or masks only.
    pub fn new(x: &[f32], map: LogitMap) -> Option<Softmax> {
        let m = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let argmax = x.iter().position(|&v| v == m)?;
        let mut softmax = Softmax::saved(x, map, m, 0.0)?;
        let others = softmax.shifted.iter().enumerate().filter(|&(c, _)| c != argmax);
        softmax.excess = Real::sum(others.map(|(_, shifted)| shifted.exp()));
        Some(softmax)
    }

    /// From the state a forward pass saved.
    pub fn saved(x: &[f32], map: LogitMap, m: f32, excess: f32) -> Option<Softmax> {
        if !m.is_finite() || x.iter().any(|v| v.is_nan()) {
            return None;
        }
        let shift = |&v: &f32| match v {
            f32::NEG_INFINITY => Real::from(v),
            _ => (map.capped(v) - map.capped(m)) / map.temperature,
        };
        Some(Softmax {
            x: x.to_vec(),
            map,
            shifted: x.iter().map(shift).collect(),
            slopes: x.iter().map(|&v| map.slope(v)).collect(),
            m: m.into(),
            excess: excess.into(),
        })
    }

    pub fn log_p(&self, c: usize) -> Real {
        self.shifted[c] - self.excess.ln_1p()
    }

    pub fn p(&self, c: usize) -> Real {
        self.shifted[c].exp() / (self.excess + 1.0)
    }

    /// `1 - p_c`, without the cancellation: a class that attains the maximum leaves exactly D to the others.
    pub fn q(&self, c: usize) -> Real {
        if self.shifted[c].value == 0.0 { self.excess / (self.excess + 1.0) } else { Real::ONE - self.p(c) }
    }

    /// `log sum_c exp(x_c/T)`.
    pub fn lse(&self) -> Real {
        self.map.capped(self.m.value as f32) / self.map.temperature + self.excess.ln_1p()
    }

    /// `-sum_c p_c log p_c`.
    pub fn entropy(&self) -> Real {
        -Real::sum((0..self.n_classes()).map(|c| self.p(c).times(self.log_p(c))))
    }

    /// The first class that attains the maximum.
    pub fn argmax(&self) -> usize {
        self.x.iter().position(|&x| f64::from(x) == self.m.value).unwrap_or(0)
    }

    /// Logits strictly greater than that of class `t`.
    pub fn n_above(&self, t: usize) -> usize {
        self.x.iter().filter(|&&x| x > self.x[t]).count()
    }

    /// The gradient of logit `j` from that of what the softmax reads.
    pub fn through_logit(&self, j: usize, gradient: Real) -> Real {
        self.slopes[j].times(gradient) / self.map.temperature
    }

    pub fn n_classes(&self) -> usize {
        self.shifted.len()
    }
}

/// One value per class, with the gradient from `g = dloss`.
pub(super) fn row(problem: &Problem, inputs: &Tensors<'_>, n: usize, output: &dyn AnySoftmax) -> Option<Row> {
    let softmax = row_softmax(problem, inputs, n)?;
    let classes = 0..softmax.n_classes();
    let g = dloss_values(problem, inputs, n);
    let gradient = g.map_or(Vec::new(), |g| {
        let sum_g = Real::sum(classes.clone().map(|c| Real::from(g[c])));
        let sum_gp = Real::sum(classes.clone().map(|c| softmax.p(c) * g[c]));
        classes.clone().map(|c| output.dlogit(softmax.p(c), g[c].into(), sum_g, sum_gp)).collect()
    });
    let values = classes.map(|c| output.value(softmax.log_p(c), softmax.p(c))).collect();
    Some(Row::new(values, gradient, vec![softmax.m, softmax.excess]))
}
